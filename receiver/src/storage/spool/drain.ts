import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExporterLogger } from '@agentic-hooks/events'
import {
  type EventBatch,
  type EventRecord,
  type Exporter,
  type ExportResult,
  isPermanentExportError,
  type Rejection,
} from '@agentic-hooks/events'
import { settlesWithin } from '../../ingest/timeout.ts'
import type { Segment, SpoolFiles } from './files.ts'
import type { Frames } from './frames.ts'

/** Exported at once, at least one segment. */
const ROUND_BYTES = 2 ** 20
const FIRST_RETRY_MILLIS = 100
/** So long an exporter may take for a round. */
const EXPORT_TIMEOUT_MILLIS = 60_000

/** The longest that a file waits with which something cannot be done, while the exporter works. */
const MAX_POSTPONE_MILLIS = 60_000
const HEALTH_TIMEOUT_MILLIS = 2_000

export interface SpoolDrainOptions {
  readonly files: SpoolFiles
  readonly exporter: Exporter
  readonly drainBytesPerSecond: number
  readonly maxRetryMillis: number
  readonly logger: ExporterLogger
  /** Called after a round in which the exporter stored something. */
  onStored(): void
  /** Called after a round in which it stored nothing and is not healthy. */
  onDown(error: unknown): void
}

/** A segment on its way into the exporter; its batches by where their frames begin. */
interface Entry {
  readonly segment: Segment
  readonly done: Set<number>
  /** Exports that were too slow and are still under way. */
  readonly late: Map<number, Promise<void>>
  /** What was found in the file when all of that was stored; null until then. */
  stored: Pick<Frames, 'events' | 'damagedBytes'> | null
  /** How often something could not be done with it, and when it is tried again. */
  failures: number
  retryAtMillis: number
}

interface Item {
  readonly entry: Entry
  readonly offset: number
  readonly batch: EventBatch
}

interface Failure {
  readonly entry: Entry
  readonly error: unknown
}

/**
 * Brings segments into the exporter, the oldest first, about a megabyte a round. After a round it pauses: to
 * keep within the speed limit, or, when nothing could be stored, twice as long as the time before.
 *
 * A file that cannot be read, of which a batch fails while the exporter works, or that cannot be removed, holds up no
 * other: it waits, up to a minute and longer each time, and is tried again until it succeeds.
 *
 * Waiting until start(); then idle or, while segments are left, running; stop() ends it amid a round.
 */
export class SpoolDrain {
  readonly #options: SpoolDrainOptions
  readonly #stop = new AbortController()
  readonly #entries = new Map<Segment, Entry>()
  /** Ends a pause in which there is nothing to do but to wait for postponed files. */
  #wakeUp: AbortController | null = null
  #isStarted = false
  #running: Promise<void> | null = null
  #rejectedEvents = 0
  #damagedFiles = 0
  #lostEvents = 0

  constructor(options: SpoolDrainOptions) {
    this.#options = options
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  get events(): number {
    let events = 0
    for (const { segment, stored, failures } of this.#entries.values()) {
      // One that is stored is about to be removed, unless that fails.
      if (!stored || failures === 0) events += segment.events
    }
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

  /** That their files should have held, by their names, and did not. */
  get lostEvents(): number {
    return this.#lostEvents
  }

  /** Files with which something cannot be done for now. */
  get stuckFiles(): number {
    let files = 0
    for (const { failures } of this.#entries.values()) if (failures > 0) files++
    return files
  }

  add(segment: Segment): void {
    const [done, late] = [new Set<number>(), new Map()]
    this.#entries.set(segment, { segment, done, late, stored: null, failures: 0, retryAtMillis: 0 })
    this.#wakeUp?.abort()
    this.#run()
  }

  /** A batch was spooled while its export was under way; if that succeeds, it need not be exported again. */
  awaitLate(lateExport: Promise<ExportResult>, batch: EventBatch, segment: Segment, index: number): void {
    const entry = this.#entries.get(segment)
    const offset = segment.offsets[index]!
    const late = lateExport
      .then(async ({ rejected }) => {
        await this.#keepRejected(batch, rejected)
        entry?.done.add(offset)
      })
      .catch(() => {}) // It is still in the segment.
    entry?.late.set(offset, late)
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
      const entries = this.#oldestDue()
      if (entries.length === 0) {
        await this.#waitForPostponed()
        continue
      }
      const startedAt = performance.now()
      const bytes = await this.#round(entries).catch((error) => {
        logger.warn({ err: error }, 'the spool could not be drained; it is tried again')
        return 0
      })
      const millis = performance.now() - startedAt
      const pauseMillis = bytes > 0 ? (bytes * 1000) / drainBytesPerSecond - millis : retryMillis
      retryMillis = bytes > 0 ? FIRST_RETRY_MILLIS : Math.min(retryMillis * 2, maxRetryMillis)
      await sleep(Math.max(0, pauseMillis), undefined, { signal }).catch(() => {})
    }
    this.#running = null
  }

  async #waitForPostponed(): Promise<void> {
    const times = Array.from(this.#entries.values(), ({ retryAtMillis }) => retryAtMillis)
    const first = times.reduce((a, b) => Math.min(a, b))
    this.#wakeUp = new AbortController()
    const signal = AbortSignal.any([this.#stop.signal, this.#wakeUp.signal])
    await sleep(Math.max(0, first - performance.now()), undefined, { signal }).catch(() => {})
    this.#wakeUp = null
  }

  /** Returns about how many bytes are done with, 0 when the exporter stored nothing. */
  async #round(entries: readonly Entry[]): Promise<number> {
    const items: Item[] = []
    const found = new Map<Entry, Frames>()
    for (const entry of entries) {
      const frames = entry.stored ? null : await this.#read(entry)
      if (!frames) continue
      found.set(entry, frames)
      for (const [index, batch] of frames.batches.entries()) {
        const offset = frames.offsets[index]!
        if (!entry.done.has(offset)) items.push({ entry, offset, batch })
      }
    }
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(EXPORT_TIMEOUT_MILLIS)])
    const outcomes = await Promise.all(items.map((item) => this.#export(item, signal)))
    if (this.#stop.signal.aborted) return 0
    const failures = outcomes.filter((failure) => failure !== null)
    const hasStored = failures.length < items.length
    if (hasStored) this.#options.onStored()
    if (failures.length > 0) await this.#judge(failures, hasStored)
    const failed = new Set(failures.map(({ entry }) => entry))
    for (const [entry, { events, damagedBytes }] of found) {
      if (failed.has(entry)) continue
      entry.stored = { events, damagedBytes }
      entry.failures = 0
    }
    for (const entry of entries) if (entry.stored) await this.#remove(entry, entry.stored)
    const isDone = hasStored || entries.some((entry) => !this.#entries.has(entry.segment))
    return isDone ? entries.reduce((sum, { segment }) => sum + segment.bytes, 0) : 0
  }

  #oldestDue(): Entry[] {
    const entries: Entry[] = []
    const now = performance.now()
    let bytes = 0
    for (const entry of this.#entries.values()) {
      if (entry.retryAtMillis > now) continue
      entries.push(entry)
      bytes += entry.segment.bytes
      if (bytes >= ROUND_BYTES) break
    }
    return entries
  }

  async #read(entry: Entry): Promise<Frames | null> {
    try {
      return (await this.#options.files.read(entry.segment)) ?? NOTHING
    } catch (error) {
      this.#postpone(entry, error)
      return null
    }
  }

  async #export({ entry, offset, batch }: Item, signal: AbortSignal): Promise<Failure | null> {
    const late = entry.late.get(offset)
    if (late) await Promise.race([late, once(signal, 'abort')])
    if (entry.done.has(offset)) return null
    try {
      const { rejected } = await this.#options.exporter.export(batch, { signal })
      await this.#keepRejected(batch, rejected)
    } catch (error) {
      if (!isPermanentExportError(error)) return { entry, error }
      try {
        await this.#setAside(batch.events, error.message)
      } catch (diskError) {
        return { entry, error: diskError }
      }
    }
    entry.done.add(offset)
    return null
  }

  /**
   * While the exporter is down everything fails, and waits for it. What fails while it works waits by itself: it may
   * be a batch that can never succeed, and then holds up no other, but only the exporter can say so.
   */
  async #judge(failures: readonly Failure[], hasStored: boolean): Promise<void> {
    const { onDown, exporter } = this.#options
    if (!hasStored && !(await isHealthy(exporter))) return onDown(failures[0]!.error)
    for (const [entry, [first]] of Map.groupBy(failures, ({ entry }) => entry)) {
      this.#postpone(entry, first!.error)
    }
  }

  #postpone(entry: Entry, error: unknown): void {
    const { logger } = this.#options
    if (entry.failures++ === 0) {
      logger.warn(
        { path: entry.segment.path, err: error },
        'a spooled file is stuck: it is kept, tried again, and holds up no other',
      )
    }
    const millis = Math.min(FIRST_RETRY_MILLIS * 2 ** entry.failures, MAX_POSTPONE_MILLIS)
    entry.retryAtMillis = performance.now() + millis
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

  async #remove(
    entry: Entry,
    { events, damagedBytes }: Pick<Frames, 'events' | 'damagedBytes'>,
  ): Promise<void> {
    const { files, logger } = this.#options
    const { segment } = entry
    const lost = Math.max(0, segment.events - events)
    let keptIn: string | null = null
    try {
      if (damagedBytes > 0) keptIn = await files.keepDamaged(segment)
      else await files.remove(segment)
    } catch (error) {
      return this.#postpone(entry, error)
    }
    this.#entries.delete(segment)
    if (keptIn !== null) this.#damagedFiles++
    this.#lostEvents += lost
    const { path } = segment
    if (keptIn !== null) {
      logger.warn(
        { keptIn, damagedBytes, missingEvents: lost },
        'a spooled file is damaged; what could be read of it is stored',
      )
    } else if (lost > 0) {
      logger.warn(
        { path, missingEvents: lost, expectedEvents: segment.events },
        'acknowledged events are lost: a spooled file was cut or deleted; the rest of it is stored',
      )
    }
  }
}

/** Of a file that somebody deleted. */
const NOTHING: Frames = { batches: [], offsets: [], events: 0, damagedBytes: 0 }

async function isHealthy(exporter: Exporter): Promise<boolean> {
  const health = exporter.health().then(() => true)
  return (await settlesWithin(health, HEALTH_TIMEOUT_MILLIS)) && health.catch(() => false)
}
