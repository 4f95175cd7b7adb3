import {
  type EventBatch,
  type EventQuery,
  type EventReader,
  type Exporter,
  type ExportResult,
  encodeLines,
  type SessionSummary,
  type StoredEvent,
} from '@agentic-hooks/events'
import { probeDisk } from './file-system.ts'
import { GroupCommit, UnavailableError } from './group-commit.ts'
import { LogFile } from './log-file.ts'
import type { ResolvedOptions } from './options.ts'
import { JsonlReader } from './reader.ts'

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
  readonly #options: ResolvedOptions
  readonly #file: LogFile
  readonly #commits: GroupCommit<void>
  readonly #reader: JsonlReader
  #state: 'new' | 'started' | 'shut down' = 'new'

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#file = new LogFile(options)
    this.#commits = new GroupCommit({
      ...options,
      commit: (lines, byteLength) => this.#file.append(lines, byteLength),
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

  /** Rejects while the disk takes no writes. */
  async health(): Promise<void> {
    this.#throwIfNotStarted()
    const { path, fileSystem } = this.#options
    this.#file.throwIfLost()
    await probeDisk(fileSystem, `${path}.probe`)
  }

  async export(batch: EventBatch, signal: AbortSignal): Promise<ExportResult> {
    this.#throwIfNotStarted()
    signal.throwIfAborted()
    if (batch.events.length > 0) await this.#commits.add(encodeLines(batch.events), signal)
    return { stored: batch.events.length, duplicates: 0, rejected: [] }
  }

  async shutdown(): Promise<void> {
    this.#state = 'shut down'
    await this.#commits.idle()
    await this.#file.release()
  }

  query(query: EventQuery): AsyncIterable<StoredEvent> {
    return this.#reader.query(query)
  }

  sessions(query: EventQuery): Promise<SessionSummary[]> {
    return this.#reader.sessions(query)
  }

  #throwIfNotStarted(): void {
    if (this.#state === 'started') return
    throw new UnavailableError(`the exporter is ${this.#state === 'new' ? 'not started' : 'shut down'}`)
  }
}
