import { isSame, type NameTable } from './names.ts'
import type { WireReader } from './wire.ts'

// Tags: field number and wire type in one.
const KEY_TAG = 0x0a
const VALUE_TAG = 0x12
const STRING_TAG = 0x0a

// For each message, the bits of its field numbers.
const KEY_VALUE_FIELDS = 0b110
const STRING_FIELD = 0b10

/** Field numbers of AnyValue's oneof: none, its first and its last. */
const NO_VALUE = 0
const STRING = 1
const LAST_MEMBER = 7

/** Of an AnyValue that is given by the starts and ends of its parts: none. */
export const NO_PARTS: readonly number[] = []

/**
 * The KeyValue at hand: where its key and its value are on the wire. A message that comes in parts is merged as
 * protobuf says: of keys and of strings the last counts.
 */
export class KeyValueReader {
  readonly #wire: WireReader

  keyStart = 0
  keyEnd = 0
  valueStart = 0
  valueEnd = 0
  /** Starts and ends of further parts of the value, which only hand-made messages have. */
  moreParts = NO_PARTS

  /** Where the text is that `findText` found. */
  textStart = 0
  textEnd = 0

  /** Starts and ends of the keys and values that `keep` was told to remember. */
  readonly #kept: number[] = []
  readonly #keptParts = new Map<number, readonly number[]>()

  constructor(wire: WireReader) {
    this.#wire = wire
  }

  /** Takes the KeyValue between the wire's position and `end` at hand. */
  read(end: number): void {
    const wire = this.#wire
    const start = wire.position
    // As every encoder writes it: the key, then the value, each once.
    if (start < end && wire.bytes[start] === KEY_TAG) {
      wire.position = start + 1
      const keyEnd = wire.length(end)
      this.keyStart = wire.position
      this.keyEnd = keyEnd
      if (keyEnd < end && wire.bytes[keyEnd] === VALUE_TAG) {
        wire.position = keyEnd + 1
        this.valueEnd = wire.length(end)
        this.valueStart = wire.position
        this.moreParts = NO_PARTS
        if (this.valueEnd === end) return
      }
    }
    wire.position = start
    this.#readUnusual(end)
  }

  #readUnusual(end: number): void {
    const wire = this.#wire
    const parts: number[] = []
    this.keyStart = this.keyEnd = end
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag !== KEY_TAG && tag !== VALUE_TAG) {
        wire.skip(tag, end, KEY_VALUE_FIELDS)
        continue
      }
      const stop = wire.length(end)
      if (tag === VALUE_TAG) parts.push(wire.position, stop)
      else {
        this.keyStart = wire.position
        this.keyEnd = stop
      }
      wire.position = stop
    }
    this.useParts(parts)
  }

  /** Takes an AnyValue at hand that is given by the starts and ends of its parts. */
  useParts(parts: readonly number[]): void {
    this.valueStart = parts[0] ?? 0
    this.valueEnd = parts[1] ?? 0
    this.moreParts = parts.length > 2 ? parts.slice(2) : NO_PARTS
  }

  /** Remembers what is at hand by a number, until something else gets that number. */
  keep(entry: number): void {
    const kept = this.#kept
    const at = entry * 4
    kept[at] = this.keyStart
    kept[at + 1] = this.keyEnd
    kept[at + 2] = this.valueStart
    kept[at + 3] = this.valueEnd
    if (this.moreParts !== NO_PARTS) this.#keptParts.set(entry, this.moreParts)
    else if (this.#keptParts.size > 0) this.#keptParts.delete(entry)
  }

  /** Takes at hand what was kept. */
  recall(entry: number): void {
    const kept = this.#kept
    const at = entry * 4
    this.keyStart = kept[at]!
    this.keyEnd = kept[at + 1]!
    this.valueStart = kept[at + 2]!
    this.valueEnd = kept[at + 3]!
    const parts = this.#keptParts.size > 0 ? this.#keptParts.get(entry) : undefined
    this.moreParts = parts ?? NO_PARTS
  }

  /** The index of the key among the names of a table, or -1. */
  keyIn(table: NameTable): number {
    return table.indexOf(this.#wire.view, this.keyStart, this.keyEnd)
  }

  /** Finds the text of the value; false when it is no string. */
  findText(): boolean {
    return this.findShortText() || this.#findAnyText()
  }

  /** The same for a string of less than 128 bytes as every encoder writes it. */
  findShortText(): boolean {
    const { bytes } = this.#wire
    const start = this.valueStart
    const length = this.valueEnd - start - 2
    if (bytes[start] !== STRING_TAG || bytes[start + 1] !== length || length >= 0x80) return false
    if (this.moreParts !== NO_PARTS) return false
    this.textStart = start + 2
    this.textEnd = this.valueEnd
    return true
  }

  #findAnyText(): boolean {
    const parts = this.moreParts
    let kind = this.#findTextOfPart(this.valueStart, this.valueEnd, NO_VALUE)
    for (let index = 0; index < parts.length; index += 2) {
      kind = this.#findTextOfPart(parts[index]!, parts[index + 1]!, kind)
    }
    return kind === STRING
  }

  #findTextOfPart(start: number, end: number, kind: number): number {
    const wire = this.#wire
    wire.position = start
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === STRING_TAG) {
        this.textEnd = wire.length(end)
        this.textStart = wire.position
        wire.position = this.textEnd
      } else wire.skip(tag, end, STRING_FIELD)
      if (tag >>> 3 <= LAST_MEMBER) kind = tag >>> 3
    }
    return kind
  }

  /** Whether the text that was found is the one between two positions. */
  isText(start: number, end: number): boolean {
    const { view } = this.#wire
    const length = end - start
    return this.textEnd - this.textStart === length && isSame(view, this.textStart, view, start, length)
  }
}
