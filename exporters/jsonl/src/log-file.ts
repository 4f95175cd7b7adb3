import { dirname } from 'node:path'
import {
  blanks,
  FILE_MODE,
  FileLock,
  type FileSystem,
  InodeClaim,
  makeDirectory,
  type OpenFile,
  probeDisk,
  readRange,
  resolveLinks,
  syncDirectory,
  writeAll,
} from '@agentic-hooks/durable-files'
import type { ResolvedOptions } from './options.ts'
import { nextRotatedFile, rotatedFiles } from './rotation.ts'

const NEWLINE = 10
const TAIL_CHUNK_BYTES = 65_536

/**
 * The file that lines are appended to, and its lock: that of its path behind all symbolic links, and the claim of its
 * inode, which may have several names.
 *
 * Closed: nothing is known about the file; the next append opens it and repairs its end. Open: all of it is
 * durable and ends with a newline. An append that fails cuts off what it wrote and closes the file, so that
 * a disk that is full or gone for a while leaves no half lines behind. The lock is held from the first open()
 * to release().
 */
export class LogFile {
  readonly #options: ResolvedOptions
  readonly #fileSystem: FileSystem
  /** Where the file is, behind symbolic links. */
  #path: string
  #lock: FileLock | null = null
  #lockedPath = ''
  #claim: InodeClaim | null = null
  #file: OpenFile | null = null
  #ino = 0
  #size = 0
  #day = ''
  /** Whether the file could not be cut, so that trying it would make it longer each time. */
  #isAppendOnly = false

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#fileSystem = options.fileSystem
    this.#path = options.path
  }

  /**
   * Makes the directory, takes the lock, opens or creates the file and repairs its end.
   * @throws LockedError when another process writes to the file, under whatever name
   * @throws Error when the path leads to what is not a regular file
   */
  async open(): Promise<void> {
    await this.#throwIfNoFile()
    this.#path = await resolveLinks(this.#fileSystem, this.#options.path)
    await makeDirectory(this.#fileSystem, dirname(this.#path))
    await this.#acquireLock()
    await this.#openFile()
  }

  /** Resolves once the lines are durable; rejects when they are not, and then they are not in the file either. */
  async append(lines: readonly Uint8Array[], byteLength: number): Promise<void> {
    await this.#prepare()
    if (this.#mustRotate(byteLength)) await this.#rotate()
    try {
      await writeAll(this.#file!, lines)
      await this.#file!.datasync()
    } catch (error) {
      await this.#undo()
      throw error
    }
  }

  /** Rejects where the file cannot be opened for writing, or its disk has no room. */
  async probe(): Promise<void> {
    this.throwIfLost()
    await this.#throwIfNoFile()
    if (await this.#fileSystem.stat(this.#path).catch(() => null)) {
      // Without the right to write it, which a file that was replaced may lack, the next append would fail.
      await (await this.#fileSystem.open(this.#path, 'a+', FILE_MODE)).close()
    }
    await probeDisk(this.#fileSystem, `${this.#path}.probe`)
  }

  /**
   * Appends a line of blanks, syncs it and takes it off again: after a failed write nothing else shows that this very
   * file takes writes once more. Readers skip such a line, should the process end in between.
   */
  async probeAppend(byteLength: number): Promise<void> {
    if (this.#isAppendOnly) return this.probe()
    await this.#prepare()
    try {
      await writeAll(this.#file!, [...blanks(byteLength - 1), Buffer.of(NEWLINE)])
      await this.#file!.datasync()
    } catch (error) {
      await this.#undo()
      throw error
    }
    await this.#undo()
  }

  /** Another process writes to the path now, because this one was suspended for too long. */
  throwIfLost(): void {
    if (this.#lock?.lost)
      throw new Error(`another process has taken over ${this.#path}; start this one again`)
  }

  async release(): Promise<void> {
    await this.#close()
    const [lock, claim] = [this.#lock, this.#claim]
    this.#lock = null
    this.#claim = null
    await claim?.release()
    await lock?.release()
  }

  async #prepare(): Promise<void> {
    this.throwIfLost()
    if (this.#file) await this.#look()
    if (!this.#file) await this.open()
  }

  /** A pipe would block for ever when it is opened, and a device keeps nothing. */
  async #throwIfNoFile(): Promise<void> {
    const { path } = this.#options
    const found = await this.#fileSystem.stat(path).catch(() => null)
    if (found === null || found.isFile()) return
    throw new Error(
      `exporter-jsonl: path is ${JSON.stringify(path)}, which is a folder, a device or a pipe; ` +
        'name a regular file, or one that is not there yet (JSONL_PATH)',
    )
  }

  /** A symbolic link may lead to another file since. */
  async #acquireLock(): Promise<void> {
    if (this.#lock && this.#lockedPath === this.#path) return
    const lock = await FileLock.acquire(this.#fileSystem, `${this.#path}.lock`)
    const former = this.#lock
    this.#lock = lock
    this.#lockedPath = this.#path
    await former?.release()
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }

  async #openFile(): Promise<void> {
    const file = await this.#fileSystem.open(this.#path, 'a+', FILE_MODE)
    try {
      await this.#claimInode(file)
      await syncDirectory(this.#fileSystem, dirname(this.#path))
      this.#size = await this.#repairEnd(file)
      const { ino, mtimeMs } = await file.stat()
      this.#ino = ino
      this.#day = utcDay(this.#size ? mtimeMs : Date.now())
      this.#file = file
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async #claimInode(file: OpenFile): Promise<void> {
    const { dev, ino } = await file.stat()
    if (dev === undefined || this.#claim?.covers(dev, ino)) return
    const claim = await InodeClaim.acquire(dev, ino, this.#path)
    await this.#claim?.release()
    this.#claim = claim
  }

  /** Closes the file when someone moved or deleted it: what is written to it would be found no more. */
  async #look(): Promise<void> {
    const { path, logger } = this.#options
    const found = await this.#fileSystem.stat(path).catch(() => null)
    if (found?.ino === this.#ino) {
      this.#size = found.size
    } else {
      logger.warn({ path }, 'the file was moved or deleted; going on with a new one')
      await this.#close()
    }
  }

  #mustRotate(byteLength: number): boolean {
    if (this.#size === 0) return false
    if (this.#options.rotateDaily && utcDay(Date.now()) !== this.#day) return true
    return this.#size + byteLength > this.#options.maxFileBytes
  }

  async #rotate(): Promise<void> {
    await this.#close()
    const rotated = await rotatedFiles(this.#fileSystem, this.#path)
    await this.#fileSystem.rename(this.#path, nextRotatedFile(this.#path, rotated.at(-1), Date.now()))
    await this.#openFile()
    await this.#deleteSurplus()
  }

  async #deleteSurplus(): Promise<void> {
    const { maxFiles, logger } = this.#options
    if (maxFiles === null) return
    const rotated = await rotatedFiles(this.#fileSystem, this.#path)
    for (const file of rotated.slice(0, Math.max(0, rotated.length + 1 - maxFiles))) {
      await this.#fileSystem
        .unlink(file)
        .catch((error) => logger.warn({ path: file, err: error }, 'could not delete an old file'))
    }
  }

  /** After a failed sync nobody knows which pages reached the disk, so the file is looked at afresh. */
  async #undo(): Promise<void> {
    try {
      const { size } = await this.#file!.stat()
      if (size > this.#size) await this.#file!.truncate(this.#size)
    } catch {
      // Then half a line may stay; the next open() cuts it off, unless the file takes no cuts (chattr +a).
      this.#isAppendOnly = true
    }
    await this.#close().catch(() => {})
  }

  /** Ends the last line, or cuts it off where it is torn; returns the size of the file. */
  async #repairEnd(file: OpenFile): Promise<number> {
    const [path, { logger }] = [this.#path, this.#options]
    const { size } = await file.stat()
    const end = await endOfLastLine(file, size)
    if (end === size) return size
    const tail = await readRange(file, end, size)
    if (isJson(tail)) {
      await writeAll(file, [Buffer.of(NEWLINE)])
      return size + 1
    }
    // It was never acknowledged, but if the file is not ours it is not ours to lose either.
    await this.#keepAside(tail)
    await file.truncate(end)
    logger.warn({ path, bytes: tail.byteLength, keptIn: tornFile(path) }, 'cut off a torn last line')
    return end
  }

  async #keepAside(tail: Buffer): Promise<void> {
    const torn = await this.#fileSystem.open(tornFile(this.#path), 'a', FILE_MODE)
    try {
      await writeAll(torn, [tail, Buffer.of(NEWLINE)])
    } finally {
      await torn.close()
    }
  }
}

/** Where torn last lines are kept. */
function tornFile(path: string): string {
  return `${path}.torn`
}

/** The position behind the last newline; 0 when there is none. */
async function endOfLastLine(file: OpenFile, size: number): Promise<number> {
  for (let end = size; end > 0; end -= TAIL_CHUNK_BYTES) {
    const start = Math.max(0, end - TAIL_CHUNK_BYTES)
    const newline = (await readRange(file, start, end)).lastIndexOf(NEWLINE)
    if (newline >= 0) return start + newline + 1
  }
  return 0
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString())
    return true
  } catch {
    return false
  }
}

function utcDay(millis: number): string {
  return new Date(millis).toISOString().slice(0, 10)
}
