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
    while (index !== NONE && !isSame(view, start, this.#view, index * MAX_TABLE_BYTES, length)) {
      index = this.#next[index]!
    }
    return index
  }
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
  if (cachedLengths[slot] === length && isSame(view, start, cachedView, cached, length)) {
    return cachedTexts[slot]!
  }
  const text = decodeText(bytes, start, end)
  for (let offset = 0; offset < length; offset++) cachedBytes[cached + offset] = bytes[start + offset]!
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
