import { join } from 'node:path'
import { type EventBatch, type EventRecord, encodeLines, jsonBytes, parseJson } from '@agentic-hooks/events'
import {
  FILE_MODE,
  FileLock,
  type FileSystem,
  GroupCommit,
  hasCode,
  makeDirectory,
  type Place,
  probeDisk,
  readWhole,
  syncDirectory,
  UnavailableError,
  writeAll,
} from '@agentic-hooks/exporter-jsonl'
import { decodeFrames, encodeFrame, eventsIn } from './spool-frames.ts'

/** Batches synced together; what is larger goes alone. */
const MAX_SEGMENT_BYTES = 2 ** 20
const MAX_QUEUED_BYTES = 2 ** 26
/** What a file takes of the disk at least. */
const BLOCK_BYTES = 4096

const SEGMENT_NAME = /^(\d{12})-(\d+)\.spool(\.damaged)?$/
const REJECTED_FILE = 'rejected.jsonl'
/** Room kept for a lock: where the spool has filled the disk, only a receiver that starts can drain it. */
const RESERVE_BYTES = 16 * 1024
/** Of a record in rejected.jsonl, which `import` reads like any other. */
const REASON_ATTRIBUTE = 'agentic_hooks.rejected_reason'

/** A file of batches that were synced together. Its name is its number in order of arrival and its events. */
export interface Segment {
  readonly path: string
  readonly events: number
  readonly bytes: number
  readonly writtenAtMillis: number
}

export interface SpoolFilesOptions {
  readonly directory: string
  /** All files together, those set aside included. */
  readonly maxBytes: number
  readonly fileSystem: FileSystem
}

/**
 * The directory of a spool: a new file for all batches that are synced together, removed once they are stored
 * elsewhere. No file is ever changed, so one that is half written is one that was never acknowledged.
 *
 * Closed until open(), which takes the directory's lock; close() gives it back.
 */
export class SpoolFiles {
  readonly #options: SpoolFilesOptions
  readonly #fileSystem: FileSystem
  readonly #commits: GroupCommit<Segment>
  #lock: FileLock | null = null
  #bytes = 0
  #nextSequence = 1

  /** @param onWritten called with each new segment once it is durable */
  constructor(options: SpoolFilesOptions, onWritten: (segment: Segment) => void) {
    this.#options = options
    this.#fileSystem = options.fileSystem
    this.#commits = new GroupCommit({
      maxGroupBytes: MAX_SEGMENT_BYTES,
      maxQueuedBytes: MAX_QUEUED_BYTES,
      commit: async (frames, byteLength) => {
        const segment = await this.#writeSegment(frames, byteLength)
        onWritten(segment)
        return segment
      },
    })
  }

  /** What the directory takes of the disk. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * The segments that are left from before, oldest first.
   * @throws LockedError when another process spools there
   */
  async open(): Promise<Segment[]> {
    const { directory } = this.#options
    await makeDirectory(this.#fileSystem, directory)
    this.#lock = await this.#acquireLock()
    await this.#keepReserve()
    const segments: Segment[] = []
    for (const name of (await this.#fileSystem.readdir(directory)).sort()) {
      const path = join(directory, name)
      const { size, mtimeMs } = await this.#fileSystem.stat(path)
      this.#bytes += onDisk(size)
      const [, sequence, events, damaged] = SEGMENT_NAME.exec(name) ?? []
      if (!sequence) continue
      this.#nextSequence = Number(sequence) + 1
      if (damaged) continue
      segments.push({ path, events: Number(events), bytes: onDisk(size), writtenAtMillis: mtimeMs })
    }
    return segments
  }

  /**
   * Resolves once the batch is durable.
   * @throws UnavailableError when the spool is full, or the error of the disk
   */
  async append(batch: EventBatch, signal?: AbortSignal): Promise<Place<Segment>> {
    if (this.#isFull) throw this.#fullError()
    return this.#commits.add(encodeFrame(batch), signal)
  }

  /** Rejects while a batch could not be appended. */
  async health(): Promise<void> {
    if (this.#isFull) throw this.#fullError()
    await probeDisk(this.#fileSystem, join(this.#options.directory, 'probe'))
  }

  /** Whoever deletes a segment by hand finds it empty. */
  async read(segment: Segment): Promise<{ batches: EventBatch[]; isIntact: boolean }> {
    const bytes = await readWhole(this.#fileSystem, segment.path).catch(ignoreMissing)
    return decodeFrames(bytes ?? Buffer.alloc(0))
  }

  /** Not synced: after a power failure the segment may be back, and its events are recognized by their ids. */
  async remove(segment: Segment): Promise<void> {
    await this.#fileSystem.unlink(segment.path).catch(ignoreMissing)
    this.#bytes -= segment.bytes
  }

  /** Keeps a segment that cannot be read to its end, out of the way. */
  async keepDamaged(segment: Segment): Promise<string> {
    const path = `${segment.path}.damaged`
    await this.#fileSystem.rename(segment.path, path)
    return path
  }

  /** Keeps what will never be stored as JSON lines; resolves once they are durable. */
  async setAside(events: readonly EventRecord[], reason: string): Promise<string> {
    const { directory } = this.#options
    const path = join(directory, REJECTED_FILE)
    const lines = encodeLines(events.map((event) => withReason(event, reason)))
    const file = await this.#fileSystem.open(path, 'a', FILE_MODE)
    try {
      await writeAll(file, [lines])
      await file.datasync()
    } finally {
      await file.close()
    }
    await syncDirectory(this.#fileSystem, directory)
    this.#bytes += lines.byteLength
    return path
  }

  async close(): Promise<void> {
    await this.#commits.idle()
    const lock = this.#lock
    this.#lock = null
    await lock?.release()
  }

  async #acquireLock(): Promise<FileLock> {
    const path = `${this.#options.directory}.lock`
    try {
      return await FileLock.acquire(this.#fileSystem, path)
    } catch (error) {
      if (!hasCode(error, 'ENOSPC')) throw error
      await this.#fileSystem.unlink(this.#reservePath).catch(ignoreMissing)
      return FileLock.acquire(this.#fileSystem, path)
    }
  }

  /** Where there is no room for it, the next start tries again. */
  async #keepReserve(): Promise<void> {
    const file = await this.#fileSystem.open(this.#reservePath, 'w', FILE_MODE).catch(() => null)
    try {
      await file?.writev([Buffer.alloc(RESERVE_BYTES)])
    } catch {
      // Nor is that a reason not to start.
    } finally {
      await file?.close()
    }
  }

  get #reservePath(): string {
    return `${this.#options.directory}.reserve`
  }

  get #isFull(): boolean {
    return this.#bytes + this.#commits.queuedBytes >= this.#options.maxBytes
  }

  #fullError(): UnavailableError {
    const { directory, maxBytes } = this.#options
    return new UnavailableError(
      `the spool ${directory} is full: ${this.#bytes} bytes, maxBytes is ${maxBytes}`,
    )
  }

  async #writeSegment(frames: readonly Buffer[], byteLength: number): Promise<Segment> {
    const { directory } = this.#options
    if (this.#lock?.lost) throw new Error(`another process has taken over ${directory}`)
    const events = frames.reduce((sum, frame) => sum + eventsIn(frame), 0)
    const path = join(directory, `${String(this.#nextSequence++).padStart(12, '0')}-${events}.spool`)
    const file = await this.#fileSystem.open(path, 'wx', FILE_MODE)
    try {
      await writeAll(file, frames)
      await file.datasync()
      await syncDirectory(this.#fileSystem, directory)
    } catch (error) {
      await this.#fileSystem.unlink(path).catch(() => {})
      throw error
    } finally {
      await file.close()
    }
    const bytes = onDisk(byteLength)
    this.#bytes += bytes
    return { path, events, bytes, writtenAtMillis: Date.now() }
  }
}

function ignoreMissing(error: unknown): void {
  if (!hasCode(error, 'ENOENT')) throw error
}

function onDisk(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}

function withReason(event: EventRecord, reason: string): EventRecord {
  const attributes = event.attributes ? parseJson(Buffer.from(event.attributes).toString()) : {}
  return { ...event, attributes: jsonBytes({ ...(attributes as object), [REASON_ATTRIBUTE]: reason }) }
}
