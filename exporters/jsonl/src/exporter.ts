import { GroupCommit, PROBE_BYTES, UnavailableError } from '@agentic-hooks/durable-files'
import {
  type EventBatch,
  type EventPage,
  type EventQuery,
  type EventReader,
  type Exporter,
  type ExportOptions,
  type ExportResult,
  encodeLines,
  type PageRequest,
  type SessionPage,
} from '@agentic-hooks/events'
import { LogFile } from './log-file.ts'
import type { ResolvedOptions } from './options.ts'
import { JsonlReader } from './reader.ts'

/** A write that takes longer than this is ill health: as likely as not it hangs. */
const STUCK_MILLIS = 5_000
/** After a failed write so much, at most, is written to try the file again. */
const MAX_TRIAL_BYTES = 2 ** 24

/**
 * Appends batches to a file of JSON lines.
 *
 * New until start(), which takes the lock of the path; then started; shutdown() refuses new batches, makes the
 * accepted ones durable and gives the lock back. Questions are answered in every state.
 */
export class JsonlExporter implements Exporter, EventReader {
  readonly name = 'jsonl'
  /** Looking for an id among all the lines that there are would cost more than a line that is there twice. */
  readonly idempotent = false
  readonly #file: LogFile
  readonly #commits: GroupCommit<void>
  readonly #reader: JsonlReader
  #state: 'new' | 'started' | 'shut down' = 'new'
  /** Size of the last write, where it failed. */
  #failedBytes: number | null = null
  /** Resolves when the file is not being written to. */
  #fileIsFree: Promise<unknown> = Promise.resolve()

  constructor(options: ResolvedOptions) {
    this.#file = new LogFile(options)
    this.#commits = new GroupCommit({
      ...options,
      commit: (lines, byteLength) => this.#inTurn(() => this.#append(lines, byteLength)),
    })
    this.#reader = new JsonlReader(options)
  }

  /** @throws LockedError when another process writes to the path */
  async start(): Promise<void> {
    try {
      await this.#file.open()
      this.#state = 'started'
    } catch (error) {
      await this.#file.release()
      throw error
    }
  }

  /**
   * Rejects while the oldest write takes longer than 5 s; after a failed write until one of its size, up to 16 MiB,
   * succeeds, which is then tried each time; and while the file cannot be opened or its disk has no 64 KiB left.
   */
  async health(): Promise<void> {
    this.#throwIfNotStarted()
    const waitedMillis = Math.round(this.#commits.oldestAgeMillis)
    if (waitedMillis > STUCK_MILLIS)
      throw new UnavailableError(`a write has not ended for ${waitedMillis} ms`)
    if (this.#failedBytes === null) await this.#file.probe()
    else await this.#inTurn(() => this.#tryAgain())
  }

  async export(batch: EventBatch, { signal }: ExportOptions): Promise<ExportResult> {
    this.#throwIfNotStarted()
    signal.throwIfAborted()
    if (batch.events.length > 0) await this.#commits.add(encodeLines(batch.events), signal)
    return { stored: batch.events.length, duplicates: 0, rejected: [] }
  }

  async shutdown(): Promise<void> {
    this.#state = 'shut down'
    await this.#commits.idle()
    await this.#fileIsFree
    await this.#file.release()
  }

  readEvents(query: EventQuery, page?: PageRequest): Promise<EventPage> {
    return this.#reader.readEvents(query, page)
  }

  readSessions(query: EventQuery, page?: PageRequest): Promise<SessionPage> {
    return this.#reader.readSessions(query, page)
  }

  async #append(lines: readonly Buffer[], byteLength: number): Promise<void> {
    try {
      await this.#file.append(lines, byteLength)
      this.#failedBytes = null
    } catch (error) {
      this.#failedBytes = byteLength
      throw error
    }
  }

  async #tryAgain(): Promise<void> {
    if (this.#failedBytes === null) return
    await this.#file.probeAppend(Math.min(Math.max(this.#failedBytes, PROBE_BYTES), MAX_TRIAL_BYTES))
    this.#failedBytes = null
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#fileIsFree.then(act)
    this.#fileIsFree = done.catch(() => {})
    return done
  }

  #throwIfNotStarted(): void {
    if (this.#state === 'started') return
    throw new UnavailableError(`the exporter is ${this.#state === 'new' ? 'not started' : 'shut down'}`)
  }
}
