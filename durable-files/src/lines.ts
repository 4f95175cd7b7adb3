import type { OpenFile } from './file-system.ts'

const NEWLINE = 10
const CHUNK_BYTES = 2 ** 20

/** A line of a file, without the newline that ends it. */
export interface Line {
  /** Valid until the next line is asked for; empty where the line is too long. */
  readonly bytes: Buffer
  readonly start: number
  /** Position of the next line. */
  readonly end: number
  /** Whether it has more than `maxLineBytes`. */
  readonly isTooLong: boolean
}

export interface ReadLinesOptions {
  /** Where to begin. Default 0. */
  readonly start?: number
  /** Whether a last line without a newline counts; one that is only just being written does not. Default false. */
  readonly unended?: boolean
  /** A longer line is passed over without being held, and given without its bytes. Default: any length. */
  readonly maxLineBytes?: number
}

const NOTHING = Buffer.alloc(0)

/** The lines from a position on, a megabyte at a time; it holds at most twice the longest of them. */
export async function* readLines(
  file: OpenFile,
  { start = 0, unended = false, maxLineBytes = Infinity }: ReadLinesOptions = {},
): AsyncGenerator<Line> {
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  let filled = 0
  let bufferStart = start
  /** Of a line whose beginning was let go, where that was. */
  let letGoFrom: number | null = null
  const line = (from: number, to: number, end: number): Line => {
    const lineStart = letGoFrom ?? bufferStart + from
    const isTooLong = letGoFrom !== null || to - from > maxLineBytes
    letGoFrom = null
    return {
      bytes: isTooLong ? NOTHING : buffer.subarray(from, to),
      start: lineStart,
      end: bufferStart + end,
      isTooLong,
    }
  }
  for (;;) {
    if (filled === buffer.byteLength) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(filled)])
    const room = buffer.byteLength - filled
    const { bytesRead } = await file.read(buffer, filled, room, bufferStart + filled)
    if (bytesRead === 0) break
    const searchFrom = filled
    filled += bytesRead
    let lineStart = 0
    let newline = buffer.subarray(0, filled).indexOf(NEWLINE, searchFrom)
    while (newline >= 0) {
      const end = newline + 1
      yield line(lineStart, newline, end)
      lineStart = end
      newline = buffer.subarray(0, filled).indexOf(NEWLINE, end)
    }
    buffer.copyWithin(0, lineStart, filled)
    filled -= lineStart
    bufferStart += lineStart
    if (filled > maxLineBytes) {
      letGoFrom ??= bufferStart
      bufferStart += filled
      filled = 0
    }
  }
  if (unended && (filled > 0 || letGoFrom !== null)) yield line(0, filled, filled)
}
