import { randomBytes } from 'node:crypto'
import { basename, join } from 'node:path'
import {
  FILE_MODE,
  FileLock,
  type FileSystem,
  GroupCommit,
  hasCode,
  makeDirectory,
  type Place,
  PROBE_BYTES,
  probeDisk,
  readWhole,
  syncDirectory,
  UnavailableError,
  writeAll,
} from '@agentic-hooks/durable-files'
import type { EventBatch, EventRecord, ExporterLogger } from '@agentic-hooks/events'
import { decodeFrames, encodeFrame, eventsIn, type Frames, MARKER_BYTES } from './frames.ts'
import { RejectedEvents, type TakenRejected } from './rejected.ts'

/** Batches synced together; what is larger goes alone. */
const MAX_SEGMENT_BYTES = 2 ** 20
const MAX_QUEUED_BYTES = 2 ** 26
/** What a file takes of the disk at least. */
const BLOCK_BYTES = 4096
/** Far more than the largest request makes of a file; what is larger was not written here, and is not read. */
const MAX_FILE_BYTES = 2 ** 30
/** A write that takes longer than this is ill health: as likely as not it hangs. */
const STUCK_MILLIS = 5_000
/** After a failed write the disk must have room for it, up to so much, to be well again. */
const MAX_PROBE_BYTES = 2 ** 24

/** Number in order of arrival, events, and the marker of the frames, which older files lack. */
const SEGMENT_NAME = /^(\d{12,15})-(\d{1,15})(?:-([0-9a-f]{32}))?\.spool(\.damaged)?$/
const DAMAGED = '.damaged'
/** A file that is only just being written, or was when its process ended: never acknowledged. */
const UNFINISHED = '.tmp'
/** Asks the receiver that runs to restore what was set aside. */
const REQUEST_FILE = 'restore.request'
/** Room kept for a lock: where the spool has filled the disk, only a receiver that starts can drain it. */
const RESERVE_BYTES = 16 * 1024

/** A file of batches that were synced together. */
export interface Segment {
  readonly path: string
  /** Its place in the order of arrival. */
  readonly sequence: number
  /** That it had when it was written, as its name says. */
  readonly events: number
  readonly bytes: number
  readonly writtenAtMillis: number
  /** Where the frame of each batch begins; of a file that another process wrote only reading it tells. */
  readonly offsets: readonly number[]
}

export interface SpoolFilesOptions {
  readonly directory: string
  /** All files together, those set aside included. */
  readonly maxBytes: number
  readonly logger: ExporterLogger
  readonly fileSystem: FileSystem
}

/** What was brought back. */
export interface Restored extends TakenRejected {
  /** Files that were damaged; what is still damaged in them is set aside again. */
  readonly files: number
}

/**
 * The directory of a spool: a new file for all batches that are synced together, removed once they are stored
 * elsewhere. A file gets its name when it is whole, and is never changed.
 *
 * Closed until open(), which takes the directory's lock; close() gives it back.
 */
export class SpoolFiles {
  readonly #options: SpoolFilesOptions
  readonly #fileSystem: FileSystem
  readonly #onSegment: (segment: Segment) => void
  readonly #commits: GroupCommit<Segment>
  readonly #marker = randomBytes(MARKER_BYTES)
  #lock: FileLock | null = null
  #bytes = 0
  #damagedBytes = 0
  #nextSequence = 1
  /** Size of the last write, where it failed. */
  #failedBytes = 0
  readonly #rejected: RejectedEvents
  /** Resolves when nothing is being restored. */
  #restored: Promise<unknown> = Promise.resolve()

  /** @param onSegment called with each new or restored segment once it is durable */
  constructor(options: SpoolFilesOptions, onSegment: (segment: Segment) => void) {
    this.#options = options
    this.#fileSystem = options.fileSystem
    this.#onSegment = onSegment
    this.#rejected = new RejectedEvents(options.fileSystem, options.directory)
    this.#commits = new GroupCommit({
      maxGroupBytes: MAX_SEGMENT_BYTES,
      maxQueuedBytes: MAX_QUEUED_BYTES,
      commit: async (frames, byteLength) => {
        const segment = await this.#writeSegment(frames, byteLength)
        onSegment(segment)
        return segment
      },
    })
  }

  /** What the directory takes of the disk. */
  get bytes(): number {
    return this.#bytes + this.#rejected.bytes
  }

  /** Of these, what waits for somebody to restore it. */
  get setAsideBytes(): number {
    return this.#damagedBytes + this.#rejected.bytes
  }

  /**
   * The segments that are left from before, oldest first. What is not a file of the spool is left alone.
   * @throws LockedError when another process spools there
   */
  async open(): Promise<Segment[]> {
    const { directory } = this.#options
    await makeDirectory(this.#fileSystem, directory)
    this.#lock = await this.#acquireLock()
    await this.#keepReserve()
    const segments: Segment[] = []
    for (const name of await this.#fileSystem.readdir(directory)) {
      const segment = await this.#find(name)
      if (segment) segments.push(segment)
    }
    return segments.sort((a, b) => a.sequence - b.sequence || (a.path < b.path ? -1 : 1))
  }

  /**
   * Resolves once the batch is durable.
   * @throws UnavailableError when the spool is full, or the error of the disk
   */
  async append(batch: EventBatch, signal?: AbortSignal): Promise<Place<Segment>> {
    if (this.#isFull) throw this.#fullError()
    return this.#commits.add(encodeFrame(batch, this.#marker), signal)
  }

  /** Rejects while a batch could not be appended, after a failed write one of its size, up to 16 MiB. */
  async health(): Promise<void> {
    if (this.#isFull) throw this.#fullError()
    const waitedMillis = Math.round(this.#commits.oldestAgeMillis)
    if (waitedMillis > STUCK_MILLIS) {
      throw new UnavailableError(
        `a write to the spool ${this.#options.directory} has not ended for ${waitedMillis} ms`,
      )
    }
    const byteLength = Math.min(Math.max(this.#failedBytes, PROBE_BYTES), MAX_PROBE_BYTES)
    await probeDisk(this.#fileSystem, join(this.#options.directory, 'probe'), byteLength)
    this.#failedBytes = 0
  }

  /** Null when somebody has deleted it. */
  async read(segment: Segment): Promise<Frames | null> {
    const bytes = await readWhole(this.#fileSystem, segment.path).catch(ignoreMissing)
    const marker = SEGMENT_NAME.exec(basename(segment.path))?.[3]
    return bytes ? decodeFrames(bytes, marker ? Buffer.from(marker, 'hex') : undefined) : null
  }

  /** Not synced: after a power failure the segment may be back, and its events are recognized by their ids. */
  async remove(segment: Segment): Promise<void> {
    await this.#fileSystem.unlink(segment.path).catch(ignoreMissing)
    this.#bytes -= segment.bytes
  }

  /** Keeps a segment that cannot be read to its end, out of the way. */
  async keepDamaged(segment: Segment): Promise<string> {
    const path = `${segment.path}${DAMAGED}`
    await this.#fileSystem.rename(segment.path, path)
    this.#damagedBytes += segment.bytes
    return path
  }

  /** Keeps what will never be stored as JSON lines; resolves once they are durable. */
  setAside(events: readonly EventRecord[], reason: string): Promise<string> {
    return this.#rejected.add(events, reason)
  }

  /** Makes segments again of all that was set aside. What is interrupted is done again, and the ids of events tell. */
  restore(): Promise<Restored> {
    const restored = this.#restored.then(async () => {
      const files = await this.#restoreDamaged()
      const rejected = await this.#rejected.take(async (batch) => {
        await this.#commits.add(encodeFrame(batch, this.#marker))
      })
      return { files, ...rejected }
    })
    this.#restored = restored.catch(() => {})
    return restored
  }

  /** For a process that does not have the directory's lock: asks the one that has it. */
  static async requestRestore(fileSystem: FileSystem, directory: string): Promise<void> {
    const file = await fileSystem.open(join(directory, REQUEST_FILE), 'a', FILE_MODE)
    await file.close()
  }

  /** Whether such a request is there. */
  static async isRestoreRequested(fileSystem: FileSystem, directory: string): Promise<boolean> {
    return fileSystem.stat(join(directory, REQUEST_FILE)).then(
      () => true,
      () => false,
    )
  }

  /** To be called when it has been answered. */
  async removeRequest(): Promise<void> {
    await this.#fileSystem.unlink(join(this.#options.directory, REQUEST_FILE)).catch(ignoreMissing)
  }

  async close(): Promise<void> {
    await this.#restored
    await this.#rejected.idle()
    await this.#commits.idle()
    const lock = this.#lock
    this.#lock = null
    await lock?.release()
  }

  /** Counts what the file takes of the disk; null for one that is not to be drained. */
  async #find(name: string): Promise<Segment | null> {
    const { directory, logger } = this.#options
    const path = join(directory, name)
    const [, sequence, events, , damaged] = SEGMENT_NAME.exec(name) ?? []
    if (sequence) this.#nextSequence = Math.max(this.#nextSequence, Number(sequence) + 1)
    try {
      const stat = await this.#fileSystem.stat(path)
      if (!stat.isFile() || (sequence && stat.size > MAX_FILE_BYTES)) {
        if (sequence) logger.warn({ path }, 'has the name of a spooled file and is none; it is left alone')
        return null
      }
      if (name.endsWith(`.spool${UNFINISHED}`)) {
        await this.#fileSystem.unlink(path)
        return null
      }
      if (this.#rejected.found(name, stat.size)) return null
      const bytes = onDisk(stat.size)
      this.#bytes += bytes
      if (damaged) this.#damagedBytes += bytes
      if (!sequence || damaged) return null
      const writtenAtMillis = stat.mtimeMs
      return { path, sequence: Number(sequence), events: Number(events), bytes, writtenAtMillis, offsets: [] }
    } catch (error) {
      if (sequence || !hasCode(error, 'ENOENT')) {
        logger.warn({ path, err: error }, 'what is this cannot be told; it is left alone')
      }
      return null
    }
  }

  async #restoreDamaged(): Promise<number> {
    const { directory } = this.#options
    let files = 0
    for (const name of (await this.#fileSystem.readdir(directory)).sort()) {
      const path = join(directory, name)
      const [, sequence, events, , damaged] = SEGMENT_NAME.exec(name) ?? []
      if (!sequence || !damaged) continue
      const { size, mtimeMs } = await this.#fileSystem.stat(path)
      const bytes = onDisk(size)
      const restored = path.slice(0, -DAMAGED.length)
      await this.#fileSystem.rename(path, restored)
      this.#damagedBytes -= bytes
      this.#onSegment({
        path: restored,
        sequence: Number(sequence),
        events: Number(events),
        bytes,
        writtenAtMillis: mtimeMs,
        offsets: [],
      })
      files++
    }
    return files
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
    return this.bytes + this.#commits.queuedBytes >= this.#options.maxBytes
  }

  #fullError(): UnavailableError {
    const { directory, maxBytes } = this.#options
    return new UnavailableError(
      `the spool ${directory} is full: ${this.bytes} bytes, maxBytes is ${maxBytes}`,
    )
  }

  async #writeSegment(frames: readonly Buffer[], byteLength: number): Promise<Segment> {
    const { directory } = this.#options
    if (this.#lock?.lost) throw new Error(`another process has taken over ${directory}`)
    const sequence = this.#nextSequence++
    const events = frames.reduce((sum, frame) => sum + eventsIn(frame), 0)
    const name = `${String(sequence).padStart(12, '0')}-${events}-${this.#marker.toString('hex')}.spool`
    const path = join(directory, name)
    try {
      await this.#writeWhole(path, frames)
    } catch (error) {
      this.#failedBytes = byteLength
      throw error
    }
    this.#failedBytes = 0
    const bytes = onDisk(byteLength)
    this.#bytes += bytes
    return { path, sequence, events, bytes, writtenAtMillis: Date.now(), offsets: offsetsOf(frames) }
  }

  async #writeWhole(path: string, frames: readonly Buffer[]): Promise<void> {
    const unfinished = `${path}${UNFINISHED}`
    const file = await this.#fileSystem.open(unfinished, 'wx', FILE_MODE)
    try {
      await writeAll(file, frames)
      await file.datasync()
      await this.#fileSystem.rename(unfinished, path)
      await syncDirectory(this.#fileSystem, this.#options.directory)
    } catch (error) {
      for (const left of [unfinished, path]) await this.#fileSystem.unlink(left).catch(() => {})
      throw error
    } finally {
      await file.close()
    }
  }
}

function offsetsOf(frames: readonly Buffer[]): number[] {
  let offset = 0
  return frames.map(({ byteLength }) => {
    const start = offset
    offset += byteLength
    return start
  })
}

function ignoreMissing(error: unknown): void {
  if (!hasCode(error, 'ENOENT')) throw error
}

function onDisk(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}
