import { crc32 } from 'node:zlib'

/*
 * A line of JSON that ends with a checksum of itself, for files that nobody else checks. It stays a line that
 * `decodeLine` reads as it is: it ignores the key.
 */

/** The last key of a sealed line: the CRC-32, in 8 hex digits, of the line without this key. */
export const LINE_CHECKSUM_KEY = 'line_crc32'

const CARRIAGE_RETURN = 13
const BRACE = Buffer.from('}')
const TAIL_START = `,"${LINE_CHECKSUM_KEY}":"`
const TAIL_END = '"}'
const TAIL_LENGTH = TAIL_START.length + 8 + TAIL_END.length
/** Of the tail's fixed characters; fewer are there by chance, more where the tail itself is damaged. */
const SURELY_A_TAIL = 12

/** @param line one JSON object, with the newline that ends it */
export function sealLine(line: Uint8Array): Buffer {
  const body = line.subarray(0, line.byteLength - 2) // Without `}\n`.
  const checksum = crc32(BRACE, crc32(body)).toString(16).padStart(8, '0')
  return Buffer.concat([body, Buffer.from(`${TAIL_START}${checksum}${TAIL_END}\n`)])
}

/**
 * - `intact`: as it was sealed;
 * - `unsealed`: it has no seal, as a line of another writer or version;
 * - `damaged`: it ends with a seal, and is not as it was.
 * @param line without the newline that ends it
 */
export function checkSeal(line: Buffer): 'intact' | 'unsealed' | 'damaged' {
  // Another program may have given the file other line breaks.
  const end = line.at(-1) === CARRIAGE_RETURN ? line.byteLength - 1 : line.byteLength
  if (end > TAIL_LENGTH) {
    const body = line.subarray(0, end - TAIL_LENGTH)
    const tail = line.toString('latin1', end - TAIL_LENGTH, end)
    if (isTailOf(tail, crc32(body))) return 'intact'
    if (likeness(tail) >= SURELY_A_TAIL) return 'damaged'
  }
  return 'unsealed'
}

/** An intact line as it was before it was sealed, without its line break. */
export function withoutSeal(line: Buffer): Buffer {
  const end = line.at(-1) === CARRIAGE_RETURN ? line.byteLength - 1 : line.byteLength
  return Buffer.concat([line.subarray(0, end - TAIL_LENGTH), BRACE])
}

/**
 * The lengths of the pieces of a damaged line of which all but the last are sealed lines, each with the byte that
 * stands where its newline was. One piece where there is nothing to part.
 */
export function partLine(line: Buffer): number[] {
  const lengths: number[] = []
  let [start, position, checksum] = [0, 0, 0]
  for (let at = line.indexOf(TAIL_START); at >= 0; at = line.indexOf(TAIL_START, at + 1)) {
    checksum = crc32(line.subarray(position, at), checksum)
    position = at
    if (!isTailOf(line.toString('latin1', at, at + TAIL_LENGTH), checksum)) continue
    const end = Math.min(at + TAIL_LENGTH + 1, line.byteLength)
    lengths.push(end - start)
    start = end
    position = end
    checksum = 0
  }
  if (start < line.byteLength) lengths.push(line.byteLength - start)
  return lengths
}

function isTailOf(tail: string, bodyChecksum: number): boolean {
  const checksum = crc32(BRACE, bodyChecksum).toString(16).padStart(8, '0')
  return tail === `${TAIL_START}${checksum}${TAIL_END}`
}

function likeness(tail: string): number {
  const fixed = `${TAIL_START}${' '.repeat(8)}${TAIL_END}`
  let same = 0
  for (let index = 0; index < fixed.length; index++) if (fixed[index] === tail[index]) same++
  return same
}
