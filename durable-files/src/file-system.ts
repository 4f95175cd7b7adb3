import fs from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

/**
 * The handful of calls that durability rests on; `node:fs/promises` has them all. Tests put a disk here that
 * forgets what was not synced.
 */
export interface FileSystem {
  open(path: string, flags: string, mode?: number): Promise<OpenFile>
  mkdir(path: string, options: { recursive: true }): Promise<unknown>
  readdir(path: string): Promise<string[]>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Of what a symbolic link leads to. */
  stat(path: string): Promise<FileStat>
  readlink(path: string): Promise<string>
  realpath(path: string): Promise<string>
}

export interface FileStat {
  readonly size: number
  readonly mtimeMs: number
  readonly ino: number
  /** The device that `ino` counts on; a simulated disk has none. */
  readonly dev?: number
  isFile(): boolean
}

export interface OpenFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>
  writev(buffers: readonly Uint8Array[]): Promise<{ bytesWritten: number }>
  datasync(): Promise<void>
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  utimes(atime: Date, mtime: Date): Promise<void>
  stat(): Promise<FileStat>
  close(): Promise<void>
}

export const nodeFileSystem: FileSystem = fs

/** Events are private: files are for their owner alone. */
export const FILE_MODE = 0o600

/** Makes the entries of a directory durable: a synced file that no synced directory names is lost. */
export async function syncDirectory(fileSystem: FileSystem, directory: string): Promise<void> {
  const handle = await fileSystem.open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Makes the directory and its parents, and makes their entries durable, also those that exist already: a
 * process may have been killed between making and syncing them.
 */
export async function makeDirectory(fileSystem: FileSystem, directory: string): Promise<void> {
  await fileSystem.mkdir(directory, { recursive: true })
  for (let child = directory; child !== dirname(child); child = dirname(child)) {
    await syncDirectory(fileSystem, dirname(child)).catch(ignoreForeignDirectory)
  }
}

/** A directory that we may not read is not one that we made. */
function ignoreForeignDirectory(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error
}

/** Writes everything, also where the system takes less at a time. */
export async function writeAll(file: OpenFile, buffers: readonly Uint8Array[]): Promise<void> {
  let { bytesWritten } = await file.writev(buffers)
  if (bytesWritten === totalBytes(buffers)) return
  let rest = Buffer.concat(buffers)
  while (rest.byteLength > bytesWritten) {
    rest = rest.subarray(bytesWritten)
    bytesWritten = (await file.writev([rest])).bytesWritten
  }
}

function totalBytes(buffers: readonly Uint8Array[]): number {
  let bytes = 0
  for (const { byteLength } of buffers) bytes += byteLength
  return bytes
}

/** The bytes from `start` to `end`, fewer where the file is shorter. */
export async function readRange(file: OpenFile, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(end - start)
  let filled = 0
  while (filled < buffer.byteLength) {
    const { bytesRead } = await file.read(buffer, filled, buffer.byteLength - filled, start + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

export async function readWhole(fileSystem: FileSystem, path: string): Promise<Buffer> {
  const file = await fileSystem.open(path, 'r')
  try {
    return await readRange(file, 0, (await file.stat()).size)
  } finally {
    await file.close()
  }
}

/** Symbolic links that are followed at most, as by Linux. */
const MAX_LINKS = 40

/**
 * The path of the file itself, behind symbolic links. Neither the file nor its directory need be there.
 * @throws Error when the links lead in a circle
 */
export async function resolveLinks(fileSystem: FileSystem, path: string): Promise<string> {
  let found = path
  for (let links = 0; links <= MAX_LINKS; links++) {
    const directory = await fileSystem.realpath(dirname(found)).catch(ignoreNoLink)
    if (directory === null) return found
    found = join(directory, basename(found))
    const target = await fileSystem.readlink(found).catch(ignoreNoLink)
    if (target === null) return found
    found = resolve(directory, target)
  }
  throw new Error(`${path} leads through more than ${MAX_LINKS} symbolic links`)
}

function ignoreNoLink(error: unknown): null {
  if (hasCode(error, 'EINVAL') || hasCode(error, 'ENOENT')) return null
  throw error
}

/** What a disk must have room for at least to count as well: with less left, hardly a batch fits. */
export const PROBE_BYTES = 64 * 1024

/** Writes and deletes a file of so many bytes, because only that shows whether a disk takes writes. */
export async function probeDisk(
  fileSystem: FileSystem,
  path: string,
  byteLength = PROBE_BYTES,
): Promise<void> {
  const file = await fileSystem.open(path, 'w', FILE_MODE)
  try {
    await writeAll(file, blanks(byteLength))
    await file.datasync()
  } finally {
    await file.close()
    await fileSystem.unlink(path).catch(() => {})
  }
}

const BLANKS = Buffer.alloc(PROBE_BYTES, ' ')

/** So many blanks. */
export function blanks(byteLength: number): Buffer[] {
  const whole: Buffer[] = Array(Math.floor(byteLength / BLANKS.byteLength)).fill(BLANKS)
  return [...whole, BLANKS.subarray(0, byteLength % BLANKS.byteLength)]
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
