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
import { FILE_MODE, writeAll } from './file-system.ts'
import { LogFile } from './log-file.ts'
import type { ResolvedOptions } from './options.ts'
import { JsonlReader } from './reader.ts'

/** What was asked for cannot be done now; the same batch may be sent again. */
class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
}

/** A batch on its way into the file. */
interface PendingBatch {
  readonly lines: Buffer
  readonly signal: AbortSignal
  resolve(): void
  reject(error: unknown): void
}

/**
 * Appends batches to a file of JSON lines.
 *
 * New until start(), which takes the lock of the path; then started; shutdown() refuses new batches, makes the
 * accepted ones durable and gives the lock back. While one group of batches is written and synced the next
 * one gathers: that is all the waiting there is. A group that fails is rejected whole, to be sent again.
 */
export class JsonlExporter implements Exporter, EventReader {
  readonly name = 'jsonl'
  /** Looking for an id among all the lines that there are would cost more than a line that is there twice. */
  readonly idempotent = false
  readonly #options: ResolvedOptions
  readonly #file: LogFile
  readonly #reader: JsonlReader
  readonly #queue: PendingBatch[] = []
  #queuedBytes = 0
  #writing: Promise<void> | null = null
  #state: 'new' | 'started' | 'shut down' = 'new'

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#file = new LogFile(options)
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

  /** Writes and deletes a small file, because only that shows that a full disk has room again. */
  async health(): Promise<void> {
    this.#throwIfNotStarted()
    const { path, fileSystem } = this.#options
    const probe = `${path}.probe`
    const file = await fileSystem.open(probe, 'w', FILE_MODE)
    try {
      await writeAll(file, [Buffer.alloc(4096)])
      await file.datasync()
    } finally {
      await file.close()
      await fileSystem.unlink(probe).catch(() => {})
    }
  }

  async export(batch: EventBatch, signal: AbortSignal): Promise<ExportResult> {
    this.#throwIfNotStarted()
    signal.throwIfAborted()
    const result = { stored: batch.events.length, duplicates: 0, rejected: [] }
    if (batch.events.length === 0) return result
    const { maxQueuedBytes } = this.#options
    if (this.#queuedBytes >= maxQueuedBytes) {
      throw new UnavailableError(
        `the disk does not keep up: ${this.#queuedBytes} bytes wait, maxQueuedBytes is ${maxQueuedBytes}`,
      )
    }
    await this.#enqueue(encodeLines(batch.events), signal)
    return result
  }

  async shutdown(): Promise<void> {
    this.#state = 'shut down'
    await this.#writing
    await this.#file.release()
  }

  query(query: EventQuery): AsyncIterable<StoredEvent> {
    return this.#reader.query(query)
  }

  sessions(query: EventQuery): Promise<SessionSummary[]> {
    return this.#reader.sessions(query)
  }

  #throwIfNotStarted(): void {
    if (this.#state !== 'started') {
      throw new UnavailableError(`the exporter is ${this.#state === 'new' ? 'not started' : 'shut down'}`)
    }
  }

  #enqueue(lines: Buffer, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      // The lines may be written all the same; only the waiting ends.
      const abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort)
      const settled = () => {
        this.#queuedBytes -= lines.byteLength
        signal.removeEventListener('abort', abort)
      }
      this.#queuedBytes += lines.byteLength
      this.#queue.push({
        lines,
        signal,
        resolve: () => {
          settled()
          resolve()
        },
        reject: (error) => {
          settled()
          reject(error)
        },
      })
      this.#writing ??= this.#write()
    })
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#takeGroup()
      const bytes = group.reduce((sum, { lines }) => sum + lines.byteLength, 0)
      try {
        if (bytes > 0)
          await this.#file.append(
            group.map(({ lines }) => lines),
            bytes,
          )
        for (const batch of group) batch.resolve()
      } catch (error) {
        for (const batch of group) batch.reject(error)
      }
    }
    this.#writing = null
  }

  /** The batches at the head of the queue that fit into one group; those given up meanwhile are left out. */
  #takeGroup(): PendingBatch[] {
    const group: PendingBatch[] = []
    let bytes = 0
    let taken = 0
    for (const batch of this.#queue) {
      bytes += batch.lines.byteLength
      if (group.length > 0 && bytes > this.#options.maxGroupBytes) break
      taken++
      if (batch.signal.aborted) batch.reject(batch.signal.reason)
      else group.push(batch)
    }
    this.#queue.splice(0, taken)
    return group
  }
}
