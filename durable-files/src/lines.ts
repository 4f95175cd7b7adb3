import type { OpenFile } from './file-system.ts'

const NEWLINE = 10
const CHUNK_BYTES = 2 ** 20

/** A line of a file, without the newline that ends it. */
export interface Line {
  /** Valid until the next line is asked for. */
  readonly bytes: Buffer
  readonly start: number
  /** Position of the next line. */
  readonly end: number
}

/**
 * The lines from a position on, a megabyte at a time.
 * @param options.unended whether a last line without a newline counts; one that is only just being written does not
 */
export async function* readLines(
  file: OpenFile,
  { start = 0, unended = false }: { start?: number; unended?: boolean } = {},
): AsyncGenerator<Line> {
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  let filled = 0
  let bufferStart = start
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
      yield {
        bytes: buffer.subarray(lineStart, newline),
        start: bufferStart + lineStart,
        end: bufferStart + end,
      }
      lineStart = end
      newline = buffer.subarray(0, filled).indexOf(NEWLINE, end)
    }
    buffer.copyWithin(0, lineStart, filled)
    filled -= lineStart
    bufferStart += lineStart
  }
  if (unended && filled > 0) {
    yield { bytes: buffer.subarray(0, filled), start: bufferStart, end: bufferStart + filled }
  }
}
