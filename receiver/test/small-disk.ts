import fs from 'node:fs/promises'
import { join } from 'node:path'
import type { OpenFile } from '@agentic-hooks/durable-files'
import { FaultyFileSystem, noSpace } from '@agentic-hooks/durable-files/testing'

const BLOCK_BYTES = 4096

/** The real file system, with room for so many blocks in one folder and the folders in it. */
export class SmallDisk extends FaultyFileSystem {
  blocks = Number.POSITIVE_INFINITY
  readonly #path: string

  constructor(path: string) {
    super()
    this.#path = path
  }

  /** From now on not a block is left. */
  async useUp(): Promise<void> {
    this.blocks = await this.#used()
  }

  override async open(path: string, flags: string, mode?: number): Promise<OpenFile> {
    const file = await super.open(path, flags, mode)
    return {
      ...file,
      writev: async (buffers) => {
        const { size } = await file.stat()
        const grown = buffers.reduce((bytes, { byteLength }) => bytes + byteLength, size)
        if ((await this.#used()) + blocksOf(grown) - blocksOf(size) <= this.blocks)
          return file.writev(buffers)
        throw noSpace()
      },
    }
  }

  async #used(): Promise<number> {
    const entries = await fs.readdir(this.#path, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    const stats = await Promise.all(files.map(({ parentPath, name }) => fs.stat(join(parentPath, name))))
    return stats.reduce((sum, { size }) => sum + blocksOf(size), 0)
  }
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES)
}
