import { MAX_NAME_LENGTH, storableText } from '@agentic-hooks/events'

/** What may be a name: a UTF-16 unit takes at most three bytes of UTF-8. */
export const MAX_NAME_BYTES = MAX_NAME_LENGTH * 3

const MIN_CACHED_BYTES = 4
const MAX_CACHED_BYTES = 64
const CACHE_BITS = 10

/** Tells which of a few ASCII names some bytes are. */
export class NameTable {
  readonly #byLength: { readonly index: number; readonly view: DataView }[][] = []

  constructor(names: readonly string[]) {
    const longest = Math.max(...names.map((name) => name.length))
    for (let length = 0; length <= longest; length++) this.#byLength.push([])
    for (const [index, name] of names.entries()) {
      this.#byLength[name.length]!.push({ index, view: viewOf(new Uint8Array(Buffer.from(name))) })
    }
  }

  /** The index of the name, or -1. */
  indexOf(view: DataView, start: number, end: number): number {
    const length = end - start
    if (length >= this.#byLength.length) return -1
    const candidates = this.#byLength[length]!
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index]!
      if (isSame(view, start, candidate.view, 0, length)) return candidate.index
    }
    return -1
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

interface CachedName {
  readonly view: DataView
  readonly text: string
}

const cache = new Array<CachedName | undefined>(2 ** CACHE_BITS).fill(undefined)

/**
 * Text of UTF-8 as it can be stored. Sessions, event types and the like recur from record to record, and
 * finding one in a small cache costs a third of making the string again.
 */
export function decodeName(bytes: Buffer, view: DataView, start: number, end: number): string {
  const length = end - start
  if (length < MIN_CACHED_BYTES || length > MAX_CACHED_BYTES) {
    return storableText(bytes.toString('utf8', start, end))
  }
  const slot = hash(view, start, length)
  const cached = cache[slot]
  if (
    cached !== undefined &&
    cached.view.byteLength === length &&
    isSame(view, start, cached.view, 0, length)
  ) {
    return cached.text
  }
  const text = storableText(bytes.toString('utf8', start, end))
  cache[slot] = { view: viewOf(Uint8Array.prototype.slice.call(bytes, start, end)), text }
  return text
}

function hash(view: DataView, start: number, length: number): number {
  const middle = start + (length >>> 1) - 2
  const mixed =
    Math.imul(view.getInt32(start) ^ length, 0x9e3779b1) ^
    Math.imul(view.getInt32(middle), 0x85ebca6b) ^
    Math.imul(view.getInt32(start + length - 4), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 15)) & (2 ** CACHE_BITS - 1)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
