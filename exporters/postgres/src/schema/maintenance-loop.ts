import { setTimeout as delay } from 'node:timers/promises'
import type { EventBatch, Micros } from '@agentic-hooks/events'
import type { Client } from 'pg'
import { connect, disconnect } from '../connection/connection.ts'
import { UnavailableError } from '../connection/errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { maintain, makePartitions } from './maintenance.ts'
import { periodOf, type TimeRange } from './partitions.ts'

/** After a round that failed. */
const RETRY_MILLIS = 60_000
/** Between two rounds, however often somebody is in a hurry. */
const MIN_PAUSE_MILLIS = 100

/** Maintenance now and then on a connection of its own, from `start()` to `stop()`. */
export class MaintenanceLoop {
  readonly #options: ResolvedOptions
  readonly #stopping = new AbortController()
  /** Starts of periods that have their partition for sure. */
  readonly #ensured = new Set<Micros>()
  #waiting = new AbortController()
  #failure: UnavailableError | null = null

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  start(): void {
    void this.#run()
  }

  /** Why the last round has left something undone; null when it has not. */
  get failure(): UnavailableError | null {
    return this.#failure
  }

  /** What is under way is rolled back. */
  stop(): void {
    this.#stopping.abort()
  }

  /** Does not wait for the next round: something that maintenance repairs is missing. */
  hurry(): void {
    this.#waiting.abort()
  }

  async ensurePartitions({ events }: EventBatch): Promise<void> {
    const { partitionBy } = this.#options
    const wanted = new Map<Micros, TimeRange>()
    for (const { timestampMicros } of events) {
      const period = periodOf(timestampMicros, partitionBy)
      if (!this.#ensured.has(period.from)) wanted.set(period.from, period)
    }
    if (wanted.size === 0) return
    await this.#connected((client) => makePartitions(client, [...wanted.values()], this.#options))
    for (const from of wanted.keys()) this.#ensured.add(from)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { logger, maintenanceIntervalMillis } = this.#options
    while (!signal.aborted) {
      try {
        await this.#connected((client) => maintain(client, this.#options, 'leave'))
        this.#failure = null
      } catch (error) {
        this.#failure = UnavailableError.from(error)
        if (!signal.aborted) logger.warn({ err: error }, 'cannot maintain the schema now')
      }
      const intervalMillis = this.#failure
        ? Math.min(maintenanceIntervalMillis, RETRY_MILLIS)
        : maintenanceIntervalMillis
      await delay(MIN_PAUSE_MILLIS, undefined, { signal, ref: false }).catch(() => {})
      // Replicas take turns rather than all coming at once.
      const waitMillis = Math.max(0, intervalMillis * (0.8 + Math.random() * 0.4) - MIN_PAUSE_MILLIS)
      await delay(waitMillis, undefined, {
        signal: AbortSignal.any([signal, this.#waiting.signal]),
        ref: false,
      }).catch(() => {})
      this.#waiting = new AbortController()
    }
  }

  async #connected(action: (client: Client) => Promise<void>): Promise<void> {
    const client = await connect(this.#options)
    const abort = () => client.connection.stream.destroy()
    const { signal } = this.#stopping
    signal.addEventListener('abort', abort)
    try {
      signal.throwIfAborted()
      await action(client)
    } finally {
      signal.removeEventListener('abort', abort)
      await disconnect(client)
    }
  }
}
