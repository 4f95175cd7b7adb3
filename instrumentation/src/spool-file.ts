import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'

/** Where one line of a file is, its line break included. */
export interface Line {
  readonly file: SpoolFile
  readonly offset: number
  readonly length: number
}

export interface TakenLine extends Line {
  readonly text: string
}

const READ_BYTES = 64 * 1024
const NEWLINE = 10

/**
 * One file of a spool. Each of its lines is
 * - held: its event is in memory too, and will be delivered from there;
 * - due: to be delivered from here;
 * - taken: read from here and on its way;
 * - done: delivered or dropped. When all are, the file may go.
 */
export class SpoolFile {
  /** True: written by another process. */
  readonly adopted: boolean
  /** How many events of this client are to be delivered from here. */
  spooled = 0
  #path: string
  #bytes = 0
  #doneBytes = 0
  #busyBytes = 0
  /** Offsets of the lines that are held or taken. */
  readonly #busy = new Set<number>()
  readonly #done = new Set<number>()
  /** No line before this offset is due. */
  #position = 0
  readonly #fd: number

  /** @throws Error when the file cannot be opened */
  constructor(path: string, { adopted }: { readonly adopted: boolean }) {
    this.#path = path
    this.adopted = adopted
    this.#fd = openSync(path, adopted ? 'r+' : 'ax+', 0o600)
    if (adopted) this.#bytes = fstatSync(this.#fd).size
  }

  get path(): string {
    return this.#path
  }

  get bytes(): number {
    return this.#bytes
  }

  get isDone(): boolean {
    return this.#doneBytes === this.#bytes
  }

  get hasDue(): boolean {
    return this.#doneBytes + this.#busyBytes < this.#bytes
  }

  /**
   * Appends whole lines, which then are due, and returns the offset of the first.
   * @throws Error when they cannot be written; then a part of them may be, and the file must take no more
   */
  append(lines: Uint8Array): number {
    const offset = this.#bytes
    for (let written = 0; written < lines.byteLength; ) written += writeSync(this.#fd, lines, written)
    this.#bytes += lines.byteLength
    return offset
  }

  hold(offset: number, length: number): Line {
    this.#busy.add(offset)
    this.#busyBytes += length
    return { file: this, offset, length }
  }

  /** A held or taken line is due again. */
  release({ offset, length }: Line): void {
    this.#busy.delete(offset)
    this.#busyBytes -= length
    this.#position = Math.min(this.#position, offset)
  }

  /** A held or taken line is done. */
  finish({ offset, length }: Line): void {
    this.#busy.delete(offset)
    this.#busyBytes -= length
    this.#done.add(offset)
    this.#doneBytes += length
  }

  /**
   * The next due lines, which then are taken: at least one, if there is one, whatever its size.
   * @throws Error when the file cannot be read
   */
  take(maxLines: number, maxBytes: number): TakenLine[] {
    const taken: TakenLine[] = []
    let bytes = 0
    const isFull = () => taken.length >= maxLines || bytes >= maxBytes
    while (!isFull() && this.#position < this.#bytes) {
      const chunk = this.#read()
      let start = 0
      while (start < chunk.length && !isFull()) {
        const newline = chunk.indexOf(NEWLINE, start)
        const end = newline < 0 ? chunk.length : newline + 1
        const offset = this.#position
        this.#position += end - start
        if (!this.#busy.has(offset) && !this.#done.has(offset)) {
          taken.push({ ...this.hold(offset, end - start), text: chunk.toString('utf8', start, end) })
          bytes += end - start
        }
        start = end
      }
    }
    return taken
  }

  /**
   * Empties a file that is done, so that the next lines begin it anew.
   * @throws Error when it cannot be emptied
   */
  reset(): void {
    ftruncateSync(this.#fd, 0)
    this.#bytes = 0
    this.#doneBytes = 0
    this.#position = 0
    this.#done.clear()
  }

  rename(path: string): void {
    renameSync(this.#path, path)
    this.#path = path
  }

  close(): void {
    closeSync(this.#fd)
  }

  remove(): void {
    this.close()
    rmSync(this.#path, { force: true })
  }

  /** Whole lines from the position on; a last one may lack its line break, when its writer died. */
  #read(): Buffer {
    for (let size = READ_BYTES; ; size *= 2) {
      const wanted = Math.min(size, this.#bytes - this.#position)
      const buffer = Buffer.allocUnsafe(wanted)
      const chunk = buffer.subarray(0, readSync(this.#fd, buffer, 0, wanted, this.#position))
      if (chunk.length === 0) throw new Error(`${this.#path} is shorter than it was`)
      if (this.#position + chunk.length >= this.#bytes) return chunk
      const end = chunk.lastIndexOf(NEWLINE) + 1
      if (end > 0) return chunk.subarray(0, end)
    }
  }
}
