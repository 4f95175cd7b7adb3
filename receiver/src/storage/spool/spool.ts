import { setTimeout as sleep } from 'node:timers/promises'
import { type FileSystem, nodeFileSystem, UnavailableError } from '@agentic-hooks/durable-files'
import type { ExporterLogger } from '@agentic-hooks/events'
import {
  type EventBatch,
  type Exporter,
  type ExportOptions,
  type ExportResult,
  isPermanentExportError,
} from '@agentic-hooks/events'
import { SpoolDrain } from './drain.ts'
import { type Restored, SpoolFiles } from './files.ts'

export interface SpoolOptions {
  /** For this exporter alone; made when it is not there. */
  readonly directory: string
  /** All files of the directory together; when it is reached, batches are refused again. Default 1 GiB. */
  readonly maxBytes?: number
  /** A batch that the exporter has not stored by then goes to disk. Default 2,000. */
  readonly slowMillis?: number
  /** How fast the spool drains beside live traffic, at most. Default 16 MiB. */
  readonly drainBytesPerSecond?: number
  /** The longest pause between two attempts to reach an exporter that is down. Default 5,000. */
  readonly maxRetryMillis?: number
  /** Default: warnings to the console. */
  readonly logger?: ExporterLogger
  /** For tests of durability. Default `node:fs/promises`. */
  readonly fileSystem?: FileSystem
}

/** For metrics. */
export interface SpoolStatus {
  /** Acknowledged and not yet in the exporter. */
  readonly events: number
  /** What the directory takes of the disk, what was set aside included. */
  readonly bytes: number
  readonly maxBytes: number
  /** Since the oldest of these events was spooled; 0 when there is none. */
  readonly oldestAgeMillis: number
  /** Whether new batches go to disk because the exporter is down. */
  readonly isSpooling: boolean
  /** Acknowledged, then rejected by the exporter, since the start; they are in `rejected.jsonl`. */
  readonly rejectedEvents: number
  /** Of which a part could not be read, since the start; they are kept as `*.damaged`. */
  readonly damagedFiles: number
  /** Acknowledged, and since the start found missing from their files. */
  readonly lostEvents: number
  /** Cannot be read, stored or removed for now, while others can. */
  readonly stuckFiles: number
  /** Of rejected events and damaged files, which wait for restore(). */
  readonly setAsideBytes: number
}

/** How often a request of the command `spool restore` is looked for. */
const REQUEST_INTERVAL_MILLIS = 1_000
/** An exporter that does not say by then whether it is well is not. */
const HEALTH_TIMEOUT_MILLIS = 1_000

const DEFAULTS = {
  maxBytes: 2 ** 30,
  slowMillis: 2_000,
  drainBytesPerSecond: 2 ** 24,
  maxRetryMillis: 5_000,
  logger: { info() {}, warn: (fields: object, message: string) => console.warn(`spool: ${message}`, fields) },
  fileSystem: nodeFileSystem,
} as const

/**
 * Stands before an exporter and acknowledges for it while it is down.
 *
 * New until start(), which needs the directory but not the exporter; shut down after shutdown(). In between it
 * is passing, where batches go straight to the exporter, or spooling, where they go to disk: from a batch
 * that fails with a retryable error or takes longer than `slowMillis` until the exporter stores again. What is on
 * disk drains in both, oldest first, beside live batches; order between the two is only in the timestamps.
 *
 * A batch that is both spooled and stored (a late success, a crash while draining) arrives at the exporter twice,
 * as any batch may; the ids of its events tell.
 */
export class Spool implements Exporter {
  readonly name: string
  readonly idempotent: boolean
  /** The exporter behind, to ask it questions. */
  readonly exporter: Exporter
  readonly #options: Required<SpoolOptions>
  readonly #files: SpoolFiles
  readonly #drain: SpoolDrain
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #stop = new AbortController()
  #state: 'new' | 'started' | 'shut down' = 'new'
  #isExporterStarted = false
  #isDown = false
  #closed: Promise<void> | null = null
  #isAnswering = false
  #requestTimer: NodeJS.Timeout | undefined

  constructor(exporter: Exporter, options: SpoolOptions) {
    this.exporter = exporter
    this.name = exporter.name
    this.idempotent = exporter.idempotent
    this.#options = { ...DEFAULTS, ...options }
    this.#files = new SpoolFiles(this.#options, (segment) => this.#drain.add(segment))
    this.#drain = new SpoolDrain({
      ...this.#options,
      exporter,
      files: this.#files,
      onStored: () => this.#noteUp(),
      onDown: (error) => this.#noteDown(error),
    })
  }

  get status(): SpoolStatus {
    const { writtenAtMillis, events, rejectedEvents, damagedFiles, lostEvents, stuckFiles } = this.#drain
    return {
      events,
      bytes: this.#files.bytes,
      maxBytes: this.#options.maxBytes,
      oldestAgeMillis: writtenAtMillis === null ? 0 : Math.max(0, Date.now() - writtenAtMillis),
      isSpooling: this.#isSpooling,
      rejectedEvents,
      damagedFiles,
      lostEvents,
      stuckFiles,
      setAsideBytes: this.#files.setAsideBytes,
    }
  }

  /**
   * Waits `slowMillis` for the exporter to start; one that takes longer or fails is tried until it does.
   * @throws LockedError when another process spools in the directory
   */
  async start(): Promise<void> {
    for (const segment of await this.#files.open()) this.#drain.add(segment)
    this.#state = 'started'
    this.#requestTimer = setInterval(() => this.#answerRequest(), REQUEST_INTERVAL_MILLIS).unref()
    const started = this.#startExporter()
    await Promise.race([started, sleep(this.#options.slowMillis, undefined, { ref: false })])
  }

  /** Rejects when a batch would be taken neither by the exporter nor by the disk. */
  async health(): Promise<void> {
    this.#throwIfNotStarted()
    if (this.#isSpooling) return this.#files.health()
    const health = this.exporter.health()
    const isWell = await settledWithin(
      HEALTH_TIMEOUT_MILLIS,
      health.then(
        () => true,
        () => false,
      ),
    )
    if (!isWell) await this.#files.health()
  }

  get degradation(): string | null {
    return this.exporter.degradation ?? null
  }

  /** Drains again all that was set aside: rejected events, and files that were damaged. */
  async restore(): Promise<Restored> {
    this.#throwIfNotStarted()
    const restored = await this.#track(this.#files.restore())
    this.#options.logger.info({ exporter: this.name, ...restored }, 'restored what was set aside')
    return restored
  }

  /** The batch goes to disk when the patience of the caller is over, `slowMillis` by default. */
  async export(batch: EventBatch, options: ExportOptions): Promise<ExportResult> {
    this.#throwIfNotStarted()
    const { signal } = options
    signal.throwIfAborted()
    const exported = this.#isSpooling ? this.#spool(batch, signal) : this.#pass(batch, options)
    return this.#track(exported)
  }

  /** Straight to disk, without trying the exporter first. */
  async accept(batch: EventBatch, signal?: AbortSignal): Promise<ExportResult> {
    this.#throwIfNotStarted()
    return this.#track(this.#spool(batch, signal))
  }

  shutdown(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#state = 'shut down'
    clearInterval(this.#requestTimer)
    await Promise.allSettled(this.#underWay)
    this.#stop.abort()
    await this.#drain.stop()
    await this.exporter.shutdown()
    await this.#files.close()
  }

  get #isSpooling(): boolean {
    return !this.#isExporterStarted || (this.#isDown && !this.#drain.isEmpty)
  }

  /** Of the command `spool restore`, run beside this process. */
  async #answerRequest(): Promise<void> {
    const { fileSystem, directory, logger } = this.#options
    if (this.#isAnswering || !(await SpoolFiles.isRestoreRequested(fileSystem, directory))) return
    this.#isAnswering = true
    try {
      await this.restore()
    } catch (error) {
      logger.warn({ exporter: this.name, err: error }, 'could not restore what was set aside')
    }
    await this.#files.removeRequest().catch(() => {})
    this.#isAnswering = false
  }

  async #startExporter(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.exporter.start()
        this.#isExporterStarted = true
        this.#drain.start()
        return
      } catch (error) {
        this.#noteDown(error)
        await sleep(this.#options.maxRetryMillis, undefined, { signal }).catch(() => {})
      }
    }
  }

  async #pass(batch: EventBatch, options: ExportOptions): Promise<ExportResult> {
    const { signal, patienceMillis = this.#options.slowMillis } = options
    const exported = this.exporter.export(batch, options)
    try {
      const result = await settledWithin(patienceMillis, exported)
      if (result) return result
    } catch (error) {
      if (isPermanentExportError(error) || signal.aborted) throw error
      this.#noteDown(error)
      return this.#spool(batch, signal)
    }
    if (patienceMillis >= this.#options.slowMillis) {
      this.#noteDown(new Error(`${this.name} has not answered in ${patienceMillis} ms`))
    }
    return this.#spoolWhile(exported, batch, signal)
  }

  async #spool(batch: EventBatch, signal?: AbortSignal): Promise<ExportResult> {
    if (batch.events.length > 0) await this.#files.append(batch, signal)
    return storedWhole(batch)
  }

  /** The export goes on and may still succeed; then the spooled copy is not needed. */
  async #spoolWhile(
    exported: Promise<ExportResult>,
    batch: EventBatch,
    signal: AbortSignal,
  ): Promise<ExportResult> {
    exported.catch(() => {}) // The spool has the batch, or has no room and waits for it below.
    const place = await this.#files.append(batch, signal).catch(() => null)
    if (!place) return exported
    this.#drain.awaitLate(exported, batch, place.committed, place.index)
    return storedWhole(batch)
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = work
      .catch(() => {})
      .finally(() => {
        this.#underWay.delete(settled)
      })
    this.#underWay.add(settled)
    return work
  }

  #throwIfNotStarted(): void {
    if (this.#state === 'started') return
    throw new UnavailableError(`the spool is ${this.#state === 'new' ? 'not started' : 'shut down'}`)
  }

  #noteDown(error: unknown): void {
    if (this.#isDown) return
    this.#isDown = true
    this.#options.logger.warn(
      { exporter: this.name, err: error },
      'exporter is down; its batches are spooled',
    )
  }

  #noteUp(): void {
    if (!this.#isDown) return
    this.#isDown = false
    this.#options.logger.info({ exporter: this.name }, 'exporter is back; the spool drains')
  }
}

function storedWhole(batch: EventBatch): ExportResult {
  return { stored: batch.events.length, duplicates: 0, rejected: [] }
}

/** Null when it has not settled by then. */
async function settledWithin<T>(millis: number, promise: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, millis, null)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
