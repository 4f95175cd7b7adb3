import { MAX_NAME_LENGTH, storableText } from '@agentic-hooks/events'

/** What may be a name: a UTF-16 unit takes at most three bytes of UTF-8. */
export const MAX_NAME_BYTES = MAX_NAME_LENGTH * 3

const NONE = -1
const MAX_TABLE_BYTES = 32

/** Tells which of a few ASCII names, of at most 32 characters, some bytes are. */
export class NameTable {
  readonly #view: DataView
  /** The first name of each length, and the next one of the same length after each name. */
  readonly #first = new Int8Array(MAX_TABLE_BYTES + 1).fill(NONE)
  readonly #next: Int8Array

  constructor(names: readonly string[]) {
    const bytes = new Uint8Array(names.length * MAX_TABLE_BYTES)
    this.#view = new DataView(bytes.buffer)
    this.#next = new Int8Array(names.length)
    for (const [index, name] of names.entries()) {
      bytes.set(Buffer.from(name), index * MAX_TABLE_BYTES)
      this.#next[index] = this.#first[name.length]!
      this.#first[name.length] = index
    }
  }

  /** The index of the name, or -1. */
  indexOf(view: DataView, start: number, end: number): number {
    const length = end - start
    if (length > MAX_TABLE_BYTES) return NONE
    let index = this.#first[length]!
    while (index !== NONE && !isSameAscii(view, start, this.#view, index * MAX_TABLE_BYTES, length)) {
      index = this.#next[index]!
    }
    return index
  }
}

/**
 * Whether `length` bytes, of which those of `b` are ASCII without NUL, are the same. Eight at a time, as doubles:
 * no eight such bytes are the double NaN or -0, so doubles are equal exactly where their bytes are.
 */
function isSameAscii(a: DataView, aStart: number, b: DataView, bStart: number, length: number): boolean {
  if (length < 8) return isSame(a, aStart, b, bStart, length)
  const last = length - 8
  for (let offset = 0; offset < last; offset += 8) {
    if (a.getFloat64(aStart + offset) !== b.getFloat64(bStart + offset)) return false
  }
  return a.getFloat64(aStart + last) === b.getFloat64(bStart + last)
}

/** Whether `length` bytes are the same. */
export function isSame(a: DataView, aStart: number, b: DataView, bStart: number, length: number): boolean {
  let offset = 0
  for (; offset + 4 <= length; offset += 4) {
    if (a.getInt32(aStart + offset) !== b.getInt32(bStart + offset)) return false
  }
  for (; offset < length; offset++) {
    if (a.getUint8(aStart + offset) !== b.getUint8(bStart + offset)) return false
  }
  return true
}

const MIN_CACHED_BYTES = 4
const MAX_CACHED_BYTES = 64
const CACHE_SIZE = 4096

const cachedTexts = new Array<string>(CACHE_SIZE).fill('')
const cachedLengths = new Uint8Array(CACHE_SIZE)
const cachedBytes = new Uint8Array(CACHE_SIZE * MAX_CACHED_BYTES)
const cachedView = new DataView(cachedBytes.buffer)

/**
 * The text of UTF-8 as it can be stored. Sessions, event types and the like recur from record to record, and
 * finding one in a cache of the last few thousand is cheaper than making the string again.
 */
export function decodeName(bytes: Buffer, view: DataView, start: number, end: number): string {
  const length = end - start
  if (length < MIN_CACHED_BYTES || length > MAX_CACHED_BYTES) return decodeText(bytes, start, end)
  const slot = hash(view, start, length) & (CACHE_SIZE - 1)
  const cached = slot * MAX_CACHED_BYTES
  if (cachedLengths[slot] === length && isSameAscii(view, start, cachedView, cached, length)) {
    return cachedTexts[slot]!
  }
  const text = decodeText(bytes, start, end)
  cachedLengths[slot] = 0
  for (let offset = 0; offset < length; offset++) {
    const byte = bytes[start + offset]!
    if (byte === 0 || byte >= 0x80) return text
    cachedBytes[cached + offset] = byte
  }
  cachedLengths[slot] = length
  cachedTexts[slot] = text
  return text
}

function decodeText(bytes: Buffer, start: number, end: number): string {
  return storableText(bytes.toString('utf8', start, end))
}

/** Mixes the first, the middle and the last four bytes: ids that differ do so in one of them. */
function hash(view: DataView, start: number, length: number): number {
  let mixed = view.getInt32(start) ^ length
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) ^ view.getInt32(start + (length >>> 1) - 2)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0x297a2d39) ^ view.getInt32(start + length - 4)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return mixed ^ (mixed >>> 16)
}

const HYPHEN = 0x2d
const UUID_BYTES = 36
const HEX_DIGITS = new Uint8Array(256)
for (const digit of Buffer.from('0123456789abcdef')) HEX_DIGITS[digit] = 1

/** Whether some bytes are a UUID in lower case, which most ids are. */
export function isLowerCaseUuid(bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== UUID_BYTES) return false
  for (let position = start; position < end; position++) {
    if (HEX_DIGITS[bytes[position]!] === 1) continue
    const index = position - start
    if (index !== 8 && index !== 13 && index !== 18 && index !== 23) return false
  }
  return (
    bytes[start + 8] === HYPHEN &&
    bytes[start + 13] === HYPHEN &&
    bytes[start + 18] === HYPHEN &&
    bytes[start + 23] === HYPHEN
  )
}
