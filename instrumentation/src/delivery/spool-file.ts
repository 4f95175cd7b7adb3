import {
  closeSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { checkSeal, partLine } from '@agentic-hooks/events'

/** Where one line of a file is, its line break included. */
export interface Line {
  readonly file: SpoolFile
  readonly offset: number
  readonly length: number
}

export interface TakenLine extends Line {
  /** Without the line break. */
  readonly bytes: Buffer
  /** Whether its writer had ended it; one that it was still writing when it died is not. */
  readonly isEnded: boolean
}

const READ_BYTES = 64 * 1024
/** No event is longer; what is does not come from here, and is not read in one piece. */
const MAX_LINE_BYTES = 64 * 1024 * 1024
const NEWLINE = 10

/**
 * One file of a spool. It is open only while it takes lines, and while it is read. Each of its lines is
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
  /** By their offsets, the lengths of lines between which the line break is damaged. */
  readonly #parts = new Map<number, number>()
  /** When lines that are due were first refused. */
  readonly #refusedAt = new Map<number, number>()
  /** No line before this offset is due. */
  #position = 0
  #fd: number | null = null

  /** @throws Error when the file cannot be opened */
  constructor(path: string, { adopted }: { readonly adopted: boolean }) {
    this.#path = path
    this.adopted = adopted
    if (adopted) this.#bytes = statSync(path).size
    else this.#fd = openSync(path, 'ax+', 0o600)
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
    for (let written = 0; written < lines.byteLength; ) written += writeSync(this.#fd!, lines, written)
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
    this.#refusedAt.delete(offset)
  }

  /** When the line was first refused: now, where it was not before. */
  refusedAt({ offset }: Line): number {
    const at = this.#refusedAt.get(offset) ?? performance.now()
    this.#refusedAt.set(offset, at)
    return at
  }

  /**
   * The next due lines, which then are taken: at least one, if there is one, whatever its size.
   * @throws Error when the file cannot be read
   */
  take(maxLines: number, maxBytes: number): TakenLine[] {
    const fd = this.#fd ?? openSync(this.#path, 'r')
    try {
      return this.#takeFrom(fd, maxLines, maxBytes)
    } finally {
      if (fd !== this.#fd) closeSync(fd)
    }
  }

  #takeFrom(fd: number, maxLines: number, maxBytes: number): TakenLine[] {
    const taken: TakenLine[] = []
    let bytes = 0
    const isFull = () => taken.length >= maxLines || bytes >= maxBytes
    while (!isFull() && this.#position < this.#bytes) {
      const chunk = this.#read(fd)
      let start = 0
      while (start < chunk.length && !isFull()) {
        const offset = this.#position
        const end = this.#endOfLine(chunk, start, offset)
        this.#position += end - start
        if (!this.#busy.has(offset) && !this.#done.has(offset)) {
          // Of parts, all but the last end with a damaged line break.
          const isEnded =
            chunk[end - 1] === NEWLINE || (this.#parts.has(offset) && this.#parts.has(this.#position))
          const line = Buffer.from(chunk.subarray(start, isEnded ? end - 1 : end))
          taken.push({ ...this.hold(offset, end - start), bytes: line, isEnded })
          bytes += end - start
        }
        start = end
      }
    }
    return taken
  }

  /** Where the line that begins at `start` of the chunk, and at `offset` of the file, ends there. */
  #endOfLine(chunk: Buffer, start: number, offset: number): number {
    const known = this.#parts.get(offset)
    if (known !== undefined) return start + known
    const newline = chunk.indexOf(NEWLINE, start)
    const end = newline < 0 ? chunk.length : newline + 1
    const line = chunk.subarray(start, newline < 0 ? end : newline)
    if (this.#done.has(offset) || this.#busy.has(offset) || checkSeal(line) === 'intact') return end
    const [first, ...others] = partLine(line)
    if (first === undefined || others.length === 0) return end
    let part = offset + first
    this.#parts.set(offset, first)
    for (const [index, length] of others.entries()) {
      const isLast = index === others.length - 1
      this.#parts.set(part, isLast && newline >= 0 ? length + 1 : length)
      part += length
    }
    return start + first
  }

  /**
   * Empties a file that is done, so that the next lines begin it anew.
   * @throws Error when it cannot be emptied
   */
  reset(): void {
    ftruncateSync(this.#fd!, 0)
    this.#bytes = 0
    this.#doneBytes = 0
    this.#position = 0
    this.#done.clear()
    this.#parts.clear()
  }

  rename(path: string): void {
    renameSync(this.#path, path)
    this.#path = path
  }

  /** It takes no more lines. */
  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
  }

  remove(): void {
    this.close()
    rmSync(this.#path, { force: true })
  }

  /** Whole lines from the position on; a last one may lack its line break, when its writer died. */
  #read(fd: number): Buffer {
    for (let size = READ_BYTES; ; size *= 2) {
      const wanted = Math.min(size, this.#bytes - this.#position)
      const buffer = Buffer.allocUnsafe(wanted)
      const chunk = buffer.subarray(0, readSync(fd, buffer, 0, wanted, this.#position))
      if (chunk.length === 0) throw new Error(`${this.#path} is shorter than it was`)
      if (this.#position + chunk.length >= this.#bytes || size >= MAX_LINE_BYTES) return chunk
      const end = chunk.lastIndexOf(NEWLINE) + 1
      if (end > 0) return chunk.subarray(0, end)
    }
  }
}
