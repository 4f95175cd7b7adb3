import fs from 'node:fs/promises'
import type { FileSystem, OpenFile } from '../index.ts'

/** The real file system until `failure` is set; then writes take half of their bytes and fail. */
export class FaultyFileSystem implements FileSystem {
  failure: NodeJS.ErrnoException | null = null
  /** Where it fails. */
  failing: 'writev' | 'datasync' = 'writev'

  readonly mkdir = fs.mkdir
  readonly readdir = (path: string): Promise<string[]> => fs.readdir(path)
  readonly rename = fs.rename
  readonly unlink = fs.unlink
  readonly stat = (path: string) => fs.stat(path)
  readonly readlink = (path: string): Promise<string> => fs.readlink(path)
  readonly realpath = (path: string): Promise<string> => fs.realpath(path)

  fill(): void {
    this.failure = noSpace()
  }

  async open(path: string, flags: string, mode?: number): Promise<OpenFile> {
    const file = await fs.open(path, flags, mode)
    return {
      read: (buffer, offset, length, position) => file.read(buffer, offset, length, position),
      writev: async (buffers) => {
        if (!this.failure || this.failing !== 'writev') return file.writev(buffers)
        const bytes = Buffer.concat(buffers)
        await file.write(bytes.subarray(0, bytes.length / 2))
        throw this.failure
      },
      datasync: async () => {
        if (this.failure) throw this.failure
        await file.datasync()
      },
      sync: () => file.sync(),
      truncate: (length) => file.truncate(length),
      utimes: (atime, mtime) => file.utimes(atime, mtime),
      stat: () => file.stat(),
      close: () => file.close(),
    }
  }
}

export function noSpace(): NodeJS.ErrnoException {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}
