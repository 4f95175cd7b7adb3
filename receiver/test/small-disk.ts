import fs, { type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FileSystem, OpenFile } from '@agentic-hooks/exporter-jsonl'

const BLOCK_BYTES = 4096

/** The real file system, with room for so many blocks in one folder and the folders in it. */
export class SmallDisk implements FileSystem {
  blocks = Number.POSITIVE_INFINITY
  readonly #path: string

  readonly mkdir = fs.mkdir
  readonly readdir = (path: string): Promise<string[]> => fs.readdir(path)
  readonly rename = fs.rename
  readonly unlink = fs.unlink
  readonly stat = (path: string) => fs.stat(path)

  constructor(path: string) {
    this.#path = path
  }

  /** From now on not a block is left. */
  async fill(): Promise<void> {
    this.blocks = await this.#used()
  }

  async open(path: string, flags: string, mode?: number): Promise<OpenFile> {
    const file = await fs.open(path, flags, mode)
    const isOurs = dirname(path).startsWith(this.#path)
    return {
      read: (buffer, offset, length, position) => file.read(buffer, offset, length, position),
      writev: (buffers) => (isOurs ? this.#write(file, buffers) : file.writev(buffers)),
      datasync: () => file.datasync(),
      sync: () => file.sync(),
      truncate: (length) => file.truncate(length),
      utimes: (atime, mtime) => file.utimes(atime, mtime),
      stat: () => file.stat(),
      close: () => file.close(),
    }
  }

  async #write(file: FileHandle, buffers: readonly Uint8Array[]): Promise<{ bytesWritten: number }> {
    const { size } = await file.stat()
    const grown = buffers.reduce((bytes, { byteLength }) => bytes + byteLength, size)
    if ((await this.#used()) + blocksOf(grown) - blocksOf(size) <= this.blocks) return file.writev(buffers)
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }

  async #used(): Promise<number> {
    const entries = await fs.readdir(this.#path, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    const sizes = await Promise.all(
      files.map(async (file) => (await fs.stat(join(file.parentPath, file.name))).size),
    )
    return sizes.reduce((sum, size) => sum + blocksOf(size), 0)
  }
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES)
}
