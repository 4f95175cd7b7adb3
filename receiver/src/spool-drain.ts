import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type EventBatch,
  type EventRecord,
  type Exporter,
  type ExportResult,
  isPermanentExportError,
  type Rejection,
} from '@agentic-hooks/events'
import type { Logger } from '@agentic-hooks/exporter-jsonl'
import type { Segment, SpoolFiles } from './spool-files.ts'

/** Exported at once, at least one segment. */
const ROUND_BYTES = 2 ** 20
const FIRST_RETRY_MILLIS = 100
/** So long an exporter may take for a round. */
const EXPORT_TIMEOUT_MILLIS = 60_000

export interface SpoolDrainOptions {
  readonly files: SpoolFiles
  readonly exporter: Exporter
  readonly drainBytesPerSecond: number
  readonly maxRetryMillis: number
  readonly setAsideMillis: number
  readonly logger: Logger
  /** Called after a round in which the exporter stored something. */
  onStored(): void
  /** Called after a round in which it stored nothing and is not healthy. */
  onDown(error: unknown): void
}

/** A segment on its way into the exporter; its batches by their index in the file. */
interface Entry {
  readonly segment: Segment
  isDamaged: boolean
  readonly done: Set<number>
  /** Exports that were too slow and are still under way. */
  readonly late: Map<number, Promise<void>>
  /** When a batch began to fail although the exporter works. */
  readonly failingSinceMillis: Map<number, number>
}

interface Item {
  readonly entry: Entry
  readonly index: number
  readonly batch: EventBatch
}

interface Failure extends Item {
  readonly error: unknown
}

/**
 * Brings segments into the exporter, the oldest first, about a megabyte a round. After a round it pauses: to
 * keep within the speed limit, or, when nothing could be stored, twice as long as the time before.
 *
 * Waiting until start(); then idle or, while segments are left, running; stop() ends it amid a round.
 */
export class SpoolDrain {
  readonly #options: SpoolDrainOptions
  readonly #stop = new AbortController()
  /** Oldest first. */
  readonly #entries = new Map<Segment, Entry>()
  #isStarted = false
  #running: Promise<void> | null = null
  #rejectedEvents = 0
  #damagedFiles = 0

  constructor(options: SpoolDrainOptions) {
    this.#options = options
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  get events(): number {
    let events = 0
    for (const segment of this.#entries.keys()) events += segment.events
    return events
  }

  /** Of the oldest segment. */
  get writtenAtMillis(): number | null {
    const [oldest] = this.#entries.keys()
    return oldest?.writtenAtMillis ?? null
  }

  get rejectedEvents(): number {
    return this.#rejectedEvents
  }

  get damagedFiles(): number {
    return this.#damagedFiles
  }

  add(segment: Segment): void {
    const [done, late, failingSinceMillis] = [new Set<number>(), new Map(), new Map()]
    this.#entries.set(segment, { segment, isDamaged: false, done, late, failingSinceMillis })
    this.#run()
  }

  /** A batch was spooled while its export was under way; if that succeeds, it need not be exported again. */
  awaitLate(lateExport: Promise<ExportResult>, batch: EventBatch, segment: Segment, index: number): void {
    const entry = this.#entries.get(segment)
    const late = lateExport
      .then(async ({ rejected }) => {
        await this.#keepRejected(batch, rejected)
        entry?.done.add(index)
      })
      .catch(() => {}) // It is still in the segment.
    entry?.late.set(index, late)
  }

  /** To be called once the exporter is started. */
  start(): void {
    this.#isStarted = true
    this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the spool is shut down'))
    await this.#running
  }

  #run(): void {
    if (!this.#isStarted || this.isEmpty) return
    this.#running ??= this.#drain()
  }

  async #drain(): Promise<void> {
    const { drainBytesPerSecond, maxRetryMillis, logger } = this.#options
    const { signal } = this.#stop
    let retryMillis = FIRST_RETRY_MILLIS
    while (!this.isEmpty && !signal.aborted) {
      const startedAt = performance.now()
      const bytes = await this.#round().catch((error) => {
        logger.warn({ err: error }, 'a spooled file cannot be read or removed')
        return 0
      })
      const millis = performance.now() - startedAt
      const pauseMillis = bytes > 0 ? (bytes * 1000) / drainBytesPerSecond - millis : retryMillis
      retryMillis = bytes > 0 ? FIRST_RETRY_MILLIS : Math.min(retryMillis * 2, maxRetryMillis)
      await sleep(Math.max(0, pauseMillis), undefined, { signal }).catch(() => {})
    }
    this.#running = null
  }

  /** Returns about how many bytes are done with, 0 when the exporter stored nothing. */
  async #round(): Promise<number> {
    const entries = this.#oldest()
    const items: Item[] = []
    for (const entry of entries) items.push(...(await this.#read(entry)))
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(EXPORT_TIMEOUT_MILLIS)])
    const outcomes = await Promise.all(items.map((item) => this.#export(item, signal)))
    if (this.#stop.signal.aborted) return 0
    const failures = outcomes.filter((failure) => failure !== null)
    const hasStored = failures.length < items.length
    if (hasStored) this.#options.onStored()
    if (failures.length > 0) await this.#judge(failures, hasStored)
    for (const entry of entries) {
      const isLeft = failures.some((failure) => failure.entry === entry && !entry.done.has(failure.index))
      if (!isLeft) await this.#remove(entry)
    }
    return failures.length === 0 || hasStored
      ? entries.reduce((sum, { segment }) => sum + segment.bytes, 0)
      : 0
  }

  #oldest(): Entry[] {
    const entries: Entry[] = []
    let bytes = 0
    for (const entry of this.#entries.values()) {
      entries.push(entry)
      bytes += entry.segment.bytes
      if (bytes >= ROUND_BYTES) break
    }
    return entries
  }

  /** What is still to be stored of a segment. */
  async #read(entry: Entry): Promise<Item[]> {
    const { batches, isIntact } = await this.#options.files.read(entry.segment)
    entry.isDamaged = !isIntact
    return batches
      .map((batch, index) => ({ entry, index, batch }))
      .filter(({ index }) => !entry.done.has(index))
  }

  async #export({ entry, index, batch }: Item, signal: AbortSignal): Promise<Failure | null> {
    const late = entry.late.get(index)
    if (late) await Promise.race([late, once(signal, 'abort')])
    if (entry.done.has(index)) return null
    try {
      const { rejected } = await this.#options.exporter.export(batch, signal)
      await this.#keepRejected(batch, rejected)
    } catch (error) {
      if (!isPermanentExportError(error)) return { entry, index, batch, error }
      await this.#setAside(batch.events, error.message)
    }
    entry.done.add(index)
    return null
  }

  /** A batch that fails while the exporter works may be one that can never succeed. */
  async #judge(failures: readonly Failure[], hasStored: boolean): Promise<void> {
    const { setAsideMillis, onDown } = this.#options
    if (!hasStored && !(await this.#isHealthy())) {
      for (const { entry, index } of failures) entry.failingSinceMillis.delete(index)
      return onDown(failures[0]!.error)
    }
    const now = performance.now()
    for (const { entry, index, batch, error } of failures) {
      const since = entry.failingSinceMillis.get(index) ?? now
      entry.failingSinceMillis.set(index, since)
      if (now - since < setAsideMillis) continue
      await this.#setAside(batch.events, `failed for ${Math.round(now - since)} ms: ${messageOf(error)}`)
      entry.done.add(index)
    }
  }

  async #isHealthy(): Promise<boolean> {
    return this.#options.exporter.health().then(
      () => true,
      () => false,
    )
  }

  async #keepRejected(batch: EventBatch, rejected: readonly Rejection[]): Promise<void> {
    for (const [reason, ids] of Map.groupBy(rejected, (rejection) => rejection.reason)) {
      const eventIds = new Set(ids.map(({ eventId }) => eventId))
      await this.#setAside(
        batch.events.filter(({ eventId }) => eventIds.has(eventId)),
        reason,
      )
    }
  }

  /** They were acknowledged, so they must not vanish. */
  async #setAside(events: readonly EventRecord[], reason: string): Promise<void> {
    const { files, logger } = this.#options
    const keptIn = await files.setAside(events, reason)
    this.#rejectedEvents += events.length
    logger.warn({ events: events.length, reason, keptIn }, 'spooled events were rejected')
  }

  async #remove(entry: Entry): Promise<void> {
    const { files, logger } = this.#options
    if (entry.isDamaged) {
      const keptIn = await files.keepDamaged(entry.segment)
      this.#damagedFiles++
      logger.warn({ keptIn }, 'a spooled file is damaged; what could be read of it is stored')
    } else {
      await files.remove(entry.segment)
    }
    this.#entries.delete(entry.segment)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
