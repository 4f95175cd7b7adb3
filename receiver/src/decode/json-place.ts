// Of an entry in wasm/assembly/json-tape.ts, in words of four bytes.
const ENTRY_WORDS = 2
const KINDS = 7
const SHIFT = 3
const OBJECT = 5
/** Of the kinds of values in which others lie. */
const CONTAINER_BIT = 4

/** The decoder's memory, as far as places are read from it. */
interface Tape {
  readonly words: Uint32Array
  readonly bytes: { utf8Slice(start: number, end: number): string }
  /** Where the text begins. */
  readonly free: number
  readonly exports: { root(): number }
}

/** Where a value is inside another one of the JSON text, as in `attributes[3].key`; empty for that one itself. */
export function placeOf(memory: Tape, rootEntry: number, entry: number): string {
  const { words, exports } = memory
  const target = entry >>> 2
  const root = rootEntry >>> 2
  const tape = (exports.root() >>> 2) - ENTRY_WORDS
  const nextOf = (word: number) => {
    if ((words[word]! & CONTAINER_BIT) === 0) return word + ENTRY_WORDS
    return tape + ((words[word + 1]! & ~KINDS) >>> 2)
  }
  let place = ''
  for (let word = root; word !== target; ) {
    const isObject = (words[word]! & KINDS) === OBJECT
    const offset = isObject ? ENTRY_WORDS : 0
    let index = 0
    let item = word + ENTRY_WORDS
    for (; nextOf(item + offset) <= target; index++) item = nextOf(item + offset)
    place += isObject ? `${place && '.'}${keyText(memory, item << 2)}` : `[${index}]`
    word = item + offset
  }
  return place
}

/** A key of a request that was read as OTLP, which resolves escapes. */
export function keyText({ words, bytes, free }: Tape, entry: number): string {
  const word = entry >>> 2
  return bytes.utf8Slice(free + (words[word]! >>> SHIFT) + 1, free + (words[word + 1]! >>> SHIFT) - 1)
}
