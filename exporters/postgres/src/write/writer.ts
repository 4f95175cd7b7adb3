import { setTimeout as delay } from 'node:timers/promises'
import type { EventRecord } from '@agentic-hooks/events'
import { bounded, connect, disconnect } from '../connection/connection.ts'
import { UnavailableError } from '../connection/errors.ts'
import { refuseNewPooler } from '../connection/pooler.ts'
import { prepareSession } from '../connection/session.ts'
import { isInternalError, isWithoutResource, lineOf, remedyOf } from '../connection/sqlstate.ts'
import type { ResolvedOptions } from '../options.ts'
import { type PendingBatch, partOf, type Rows } from './pending-batch.ts'
import type { Resource } from './resources.ts'
import { EventStore } from './store.ts'

/** Attempts at a write that meets another transaction, before its batches are rejected. */
const MAX_ATTEMPTS = 8
const CONFLICT_DELAY_MILLIS = 20
const FIRST_RECONNECT_MILLIS = 50
const MAX_RECONNECT_MILLIS = 2_000

export interface WriterEvents {
  /** It can take a group. */
  ready(): void
  /** Its connection is lost; it connects again by itself. */
  lost(error: UnavailableError): void
}

/**
 * One connection, and the group of batches that it is writing.
 *
 *     closed --open()--> ready --write()--> writing --settled--> ready
 *                          |                   |
 *                          +--connection lost--+--> connecting --after waits of up to 2 s--> ready
 *
 * `close()` leads from everywhere to closed, for good.
 */
export class Writer {
  readonly #options: ResolvedOptions
  readonly #events: WriterEvents
  readonly #closing = new AbortController()
  #store: EventStore | null = null
  #writingSinceMillis: number | null = null

  constructor(options: ResolvedOptions, events: WriterEvents) {
    this.#options = options
    this.#events = events
  }

  get connected(): boolean {
    return this.#store !== null
  }

  get ready(): boolean {
    return this.#store !== null && this.#writingSinceMillis === null
  }

  /** How long the write that is under way has taken so far; 0 while there is none. */
  get writingMillis(): number {
    return this.#writingSinceMillis === null ? 0 : performance.now() - this.#writingSinceMillis
  }

  async open(): Promise<void> {
    if (this.#store) return
    const client = await connect(this.#options)
    try {
      await bounded(client, this.#options.connectTimeoutMillis, () => prepareSession(client, this.#options))
      await refuseNewPooler(client, this.#options)
    } catch (error) {
      await disconnect(client)
      throw error
    }
    if (this.#closing.signal.aborted || this.#store) return disconnect(client)
    const store = new EventStore(client)
    client.once('end', () => this.#lose(store, new UnavailableError('the connection was closed')))
    client.once('error', (error) => this.#lose(store, UnavailableError.from(error)))
    this.#store = store
  }

  /** Tries to open, at growing intervals, until it is open or closed. */
  keepOpening(): void {
    if (!this.#store) void this.#reconnect()
  }

  /** Settles every batch of the group, and never rejects itself: what the write failed with, or null. */
  async write(group: readonly PendingBatch[]): Promise<UnavailableError | null> {
    this.#writingSinceMillis = performance.now()
    try {
      await this.#storeGroup(group)
      for (const batch of group) batch.resolve()
      return null
    } catch (error) {
      const unavailable = UnavailableError.from(error)
      for (const batch of group) batch.reject(unavailable)
      return unavailable
    } finally {
      this.#writingSinceMillis = null
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    const store = this.#store
    this.#store = null
    if (store) await disconnect(store.client)
  }

  /** All in one COPY; when PostgreSQL refuses a row, each batch on its own, so that the others are none the wiser. */
  async #storeGroup(group: readonly PendingBatch[]): Promise<void> {
    if (group.length > 1) {
      try {
        const stored = await this.#storeRows(group.map(({ rows }) => rows))
        group.forEach((batch, index) => {
          batch.addStored(stored[index]!, batch.rows.events.length - stored[index]!)
        })
        return
      } catch (error) {
        if (remedyOf(error) !== 'row') throw error
      }
    }
    for (const batch of group) await this.#storeBatch(batch, batch.rows)
  }

  /**
   * Stores what can be stored and rejects each row that PostgreSQL refuses: the one that the error names, and of
   * the rest each half on its own, so that a batch full of such rows costs no more than n log n. An internal error may
   * be the server's: the named row goes alone as well, and is rejected only when it fails again and others would not.
   */
  async #storeBatch(batch: PendingBatch, all: Rows): Promise<void> {
    const rows = await this.#rejectRefusedResources(batch, all)
    const { events } = rows
    if (events.length === 0) return
    try {
      const [stored = 0] = await this.#storeRows([rows])
      batch.addStored(stored, events.length - stored)
    } catch (error) {
      if (remedyOf(error) !== 'row') throw error
      const index = events.length === 1 ? 0 : (lineOf(error) ?? 0) - 1
      const named = events[index]
      const rest = named ? events.toSpliced(index, 1) : events
      const middle = rest.length >>> 1
      const parts = [rest.slice(0, middle), rest.slice(middle)]
      if (named && events.length > 1 && isInternalError(error)) parts.push([named])
      else if (named) await this.#reject(batch, [named], error)
      for (const part of parts) if (part.length > 0) await this.#storeBatch(batch, partOf(rows, part))
    }
  }

  /** Rejects the events of those resources that PostgreSQL refuses. @returns the others */
  async #rejectRefusedResources(batch: PendingBatch, rows: Rows): Promise<Rows> {
    const missing = this.#missingResources([rows])
    try {
      await this.#insertResources(missing)
      return rows
    } catch (error) {
      if (remedyOf(error) !== 'row') throw error
    }
    let kept = rows
    for (const [id, resource] of missing) {
      try {
        await this.#insertResources(new Map([[id, resource]]))
      } catch (error) {
        if (remedyOf(error) !== 'row') throw error
        const isOfIt = ({ origin }: EventRecord) =>
          origin !== null && kept.resources.get(origin)?.id.equals(resource.id)
        await this.#reject(batch, kept.events.filter(isOfIt), error)
        kept = partOf(
          kept,
          kept.events.filter((event) => !isOfIt(event)),
        )
      }
    }
    return kept
  }

  async #reject(batch: PendingBatch, events: readonly EventRecord[], error: unknown): Promise<void> {
    const [first] = events
    if (first && isInternalError(error)) await this.#bounded((store) => store.probe(first))
    for (const event of events) batch.addRejection(event, reasonOf(error))
  }

  #missingResources(rows: readonly Rows[]): ReadonlyMap<string, Resource> {
    const resources = rows.flatMap(({ resources }) => [...resources.values()])
    return this.#store?.resources.missing(resources) ?? new Map()
  }

  async #insertResources(missing: ReadonlyMap<string, Resource>): Promise<void> {
    if (missing.size > 0) await this.#bounded(({ client, resources }) => resources.insert(client, missing))
  }

  /** How many of each were not there before. Goes again when rows of hook_resources have vanished meanwhile. */
  async #storeRows(rows: readonly Rows[]): Promise<number[]> {
    try {
      await this.#insertResources(this.#missingResources(rows))
      return await this.#copy(rows)
    } catch (error) {
      if (!isWithoutResource(error)) throw error
    }
    this.#store?.resources.forget()
    await this.#insertResources(this.#missingResources(rows))
    return this.#copy(rows)
  }

  /** Goes the long way only when some of the rows are there already. */
  async #copy(rows: readonly Rows[]): Promise<number[]> {
    try {
      await this.#bounded((store) => store.copy(rows))
      return rows.map(({ events }) => events.length)
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#bounded((store) => store.copyNew(rows))
      } catch (error) {
        if (!isConflict(error) || attempt === MAX_ATTEMPTS) throw error
        await delay(Math.random() * CONFLICT_DELAY_MILLIS * attempt)
      }
    }
  }

  async #bounded<T>(action: (store: EventStore) => Promise<T>): Promise<T> {
    const store = this.#store
    if (store === null) throw new UnavailableError('the connection was lost')
    try {
      return await bounded(store.client, this.#options.writeTimeoutMillis, () => action(store))
    } catch (error) {
      if (remedyOf(error) === 'reconnect') this.#lose(store, UnavailableError.from(error))
      throw error
    }
  }

  #lose(store: EventStore, error: UnavailableError): void {
    if (store !== this.#store) return
    this.#store = null
    store.client.connection.stream.destroy()
    this.#events.lost(error)
    void this.#reconnect()
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing
    for (let waitMillis = FIRST_RECONNECT_MILLIS; !signal.aborted; ) {
      try {
        await this.open()
        if (!signal.aborted) this.#events.ready()
        return
      } catch (error) {
        this.#events.lost(UnavailableError.from(error))
      }
      // Replicas that lost the same server do not all come back in the same instant.
      await delay(waitMillis * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {})
      waitMillis = Math.min(waitMillis * 2, MAX_RECONNECT_MILLIS)
    }
  }
}

function isConflict(error: unknown): boolean {
  const remedy = remedyOf(error)
  return remedy === 'duplicate' || remedy === 'conflict'
}

function reasonOf(error: unknown): string {
  return `PostgreSQL refuses it: ${error instanceof Error ? error.message : error}`
}
