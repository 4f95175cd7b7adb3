import { MAX_JSON_DEPTH, TOO_DEEP } from '@agentic-hooks/events'
import type { JsonWriter } from './json-writer.ts'
import { MIRRORED_KEYS } from './log-record.ts'
import { isSame, NameTable } from './names.ts'
import type { WireReader } from './wire.ts'

// Members of the AnyValue oneof by their field numbers.
export const NO_VALUE = 0
const STRING = 1
const BOOL = 2
const INT = 3
const DOUBLE = 4
export const MAP = 6
const BYTES = 7

// Tags: field number and wire type in one.
const KEY_TAG = 0x0a
const VALUE_TAG = 0x12
const STRING_TAG = 0x0a
const BOOL_TAG = 0x10
const INT_TAG = 0x18
const DOUBLE_TAG = 0x21
const ARRAY_TAG = 0x2a
const MAP_TAG = 0x32
const BYTES_TAG = 0x3a
const ELEMENT_TAG = 0x0a

// For each message, the bits of its field numbers.
const KEY_VALUE_FIELDS = 0b110
const ANY_VALUE_FIELDS = 0b1111_1110
const LIST_FIELDS = 0b10
const STRING_FIELD = 0b10

const TOO_DEEP_JSON = `"${TOO_DEEP}"`
/** Of an AnyValue that is given by the starts and ends of its parts: none. */
export const NO_PARTS: readonly number[] = []
/** No text has a length of -1. */
const NO_TEXT = [0, -1]
const MIRRORED_KEY_TABLE = new NameTable(MIRRORED_KEYS)

/**
 * Reads KeyValue and AnyValue messages and writes them as JSON, without making objects of them. A message that
 * comes in parts is merged as protobuf says: of a key and of a oneof the last counts, lists are joined.
 */
export class AnyValueReader {
  readonly #wire: WireReader
  readonly #json: JsonWriter

  /** The entry at hand: where its key and its value start and end. */
  #keyStart = 0
  #keyEnd = 0
  #valueStart = 0
  #valueEnd = 0
  /** Starts and ends of further parts of its value, which only hand-made messages have. */
  #moreParts = NO_PARTS

  /** Where the text is that `findText` found. */
  textStart = 0
  textEnd = 0

  /** Starts and ends of the keys and values of the entries that `keep` was told to remember. */
  readonly #kept: number[] = []
  readonly #keptParts = new Map<number, readonly number[]>()

  /** Starts and ends of the texts under mirrored keys in the map that was written last at depth 0. */
  readonly #mirrored: number[] = MIRRORED_KEYS.flatMap(() => NO_TEXT)

  constructor(wire: WireReader, json: JsonWriter) {
    this.#wire = wire
    this.#json = json
  }

  /** Takes the KeyValue between the wire's position and `end` at hand. */
  readEntry(end: number): void {
    const wire = this.#wire
    const start = wire.position
    // As every encoder writes it: the key, then the value, each once.
    if (start < end && wire.bytes[start] === KEY_TAG) {
      wire.position = start + 1
      this.#keyEnd = wire.length(end)
      this.#keyStart = wire.position
      if (this.#keyEnd < end && wire.bytes[this.#keyEnd] === VALUE_TAG) {
        wire.position = this.#keyEnd + 1
        this.#valueEnd = wire.length(end)
        this.#valueStart = wire.position
        this.#moreParts = NO_PARTS
        if (this.#valueEnd === end) return
      }
    }
    wire.position = start
    this.#readUnusualEntry(end)
  }

  #readUnusualEntry(end: number): void {
    const wire = this.#wire
    const parts: number[] = []
    this.#keyStart = this.#keyEnd = end
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag !== KEY_TAG && tag !== VALUE_TAG) {
        wire.skip(tag, end, KEY_VALUE_FIELDS)
        continue
      }
      const stop = wire.length(end)
      if (tag === VALUE_TAG) parts.push(wire.position, stop)
      else {
        this.#keyStart = wire.position
        this.#keyEnd = stop
      }
      wire.position = stop
    }
    this.useParts(parts)
  }

  /** Takes an AnyValue at hand that is given by the starts and ends of its parts. */
  useParts(parts: readonly number[]): void {
    this.#valueStart = parts[0] ?? 0
    this.#valueEnd = parts[1] ?? 0
    this.#moreParts = parts.length > 2 ? parts.slice(2) : NO_PARTS
  }

  /** Remembers the entry at hand by a number, until another gets that number. */
  keep(entry: number): void {
    const kept = this.#kept
    const at = entry * 4
    kept[at] = this.#keyStart
    kept[at + 1] = this.#keyEnd
    kept[at + 2] = this.#valueStart
    kept[at + 3] = this.#valueEnd
    if (this.#moreParts !== NO_PARTS) this.#keptParts.set(entry, this.#moreParts)
    else if (this.#keptParts.size > 0) this.#keptParts.delete(entry)
  }

  /** Takes an entry at hand that was kept. */
  recall(entry: number): void {
    const kept = this.#kept
    const at = entry * 4
    this.#keyStart = kept[at]!
    this.#keyEnd = kept[at + 1]!
    this.#valueStart = kept[at + 2]!
    this.#valueEnd = kept[at + 3]!
    const parts = this.#keptParts.size > 0 ? this.#keptParts.get(entry) : undefined
    this.#moreParts = parts ?? NO_PARTS
  }

  /** The index of the key at hand among the names of a table, or -1. */
  keyIn(table: NameTable): number {
    return table.indexOf(this.#wire.view, this.#keyStart, this.#keyEnd)
  }

  /** Finds the text of the value at hand; false when it is no string. */
  findText(): boolean {
    return this.#findShortText() || this.#findAnyText()
  }

  /** The same for a string of less than 128 bytes as every encoder writes it. */
  #findShortText(): boolean {
    const { bytes } = this.#wire
    const start = this.#valueStart
    const length = this.#valueEnd - start - 2
    if (bytes[start] !== STRING_TAG || bytes[start + 1] !== length || length >= 0x80) return false
    if (this.#moreParts !== NO_PARTS) return false
    this.textStart = start + 2
    this.textEnd = this.#valueEnd
    return true
  }

  #findAnyText(): boolean {
    const parts = this.#moreParts
    let kind = this.#findTextOfPart(this.#valueStart, this.#valueEnd, NO_VALUE)
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
      if (tag >>> 3 <= BYTES) kind = tag >>> 3
    }
    return kind
  }

  /** Whether the text that was found stands under that mirrored key in the map written last at depth 0. */
  isMirrored(mirroredKey: number): boolean {
    const { view } = this.#wire
    const start = this.#mirrored[2 * mirroredKey]!
    const length = this.#mirrored[2 * mirroredKey + 1]! - start
    return this.textEnd - this.textStart === length && isSame(view, this.textStart, view, start, length)
  }

  #noteMirrored(): void {
    const key = this.keyIn(MIRRORED_KEY_TABLE)
    if (key < 0) return
    const isText = this.findText()
    this.#mirrored[2 * key] = isText ? this.textStart : NO_TEXT[0]!
    this.#mirrored[2 * key + 1] = isText ? this.textEnd : NO_TEXT[1]!
  }

  #forgetMirrored(): void {
    // A loop: Array.prototype.fill costs more than all the rest of a small record.
    for (let index = 0; index < this.#mirrored.length; index++) this.#mirrored[index] = NO_TEXT[index & 1]!
  }

  /** Writes `"key":value` of the entry at hand, whose object lies in `depth - 1` others. */
  writeEntry(depth: number): void {
    const { bytes, view } = this.#wire
    this.#json.key(bytes, view, this.#keyStart, this.#keyEnd)
    this.writeEntryValue(depth)
  }

  /** Writes the value at hand, `null` when there is none; returns the oneof's member. */
  writeEntryValue(depth: number): number {
    const wire = this.#wire
    const json = this.#json
    if (this.#findShortText()) {
      json.string(wire.bytes, wire.view, this.textStart, this.textEnd)
      return STRING
    }
    const start = json.length
    const parts = this.#moreParts
    let kind = this.#writeValue(this.#valueStart, this.#valueEnd, depth, NO_VALUE, start)
    for (let index = 0; index < parts.length; index += 2) {
      kind = this.#writeValue(parts[index]!, parts[index + 1]!, depth, kind, start)
    }
    if (kind === NO_VALUE) json.literal('null')
    return kind
  }

  /**
   * Writes a part of an AnyValue and returns the oneof's member.
   * @param kind the member that an earlier part set and that stands at `written`
   */
  #writeValue(start: number, end: number, depth: number, kind: number, written: number): number {
    const wire = this.#wire
    const json = this.#json
    wire.position = start
    while (wire.position < end) {
      const tag = wire.tag(end)
      switch (tag) {
        case STRING_TAG: {
          const stop = wire.length(end)
          json.rewind(written)
          json.string(wire.bytes, wire.view, wire.position, stop)
          wire.position = stop
          kind = STRING
          break
        }
        case BOOL_TAG:
          wire.varint(end)
          json.rewind(written)
          json.literal(wire.low || wire.high ? 'true' : 'false')
          kind = BOOL
          break
        case INT_TAG:
          wire.varint(end)
          json.rewind(written)
          json.int64(wire.low, wire.high)
          kind = INT
          break
        case DOUBLE_TAG:
          json.rewind(written)
          json.number(wire.double(end))
          kind = DOUBLE
          break
        case BYTES_TAG: {
          const stop = wire.length(end)
          json.rewind(written)
          json.base64(wire.bytes, wire.position, stop)
          wire.position = stop
          kind = BYTES
          break
        }
        case ARRAY_TAG:
        case MAP_TAG:
          if (kind !== tag >>> 3) json.rewind(written)
          this.#writeList(tag, wire.length(end), depth, kind)
          kind = tag >>> 3
          break
        default:
          wire.skip(tag, end, ANY_VALUE_FIELDS)
      }
    }
    return kind
  }

  /** Writes an ArrayValue or a KeyValueList, or adds to the one of that kind that was just written. */
  #writeList(tag: number, end: number, depth: number, kind: number): void {
    const wire = this.#wire
    const json = this.#json
    const isMap = tag === MAP_TAG
    if (depth >= MAX_JSON_DEPTH) {
      if (kind !== tag >>> 3) json.literal(TOO_DEEP_JSON)
      wire.position = end
      return
    }
    if (kind === tag >>> 3) json.reopen()
    else if (isMap) json.openObject()
    else json.openArray()
    if (depth === 0 && kind !== MAP) this.#forgetMirrored()
    while (wire.position < end) {
      const elementTag = wire.tag(end)
      if (elementTag !== ELEMENT_TAG) {
        wire.skip(elementTag, end, LIST_FIELDS)
        continue
      }
      const stop = wire.length(end)
      if (isMap) {
        this.readEntry(stop)
        if (depth === 0) this.#noteMirrored()
        json.key(wire.bytes, wire.view, this.#keyStart, this.#keyEnd)
        this.writeEntryValue(depth + 1)
      } else {
        json.separate()
        const start = json.length
        if (this.#writeValue(wire.position, stop, depth + 1, NO_VALUE, start) === NO_VALUE)
          json.literal('null')
      }
      wire.position = stop
    }
    if (isMap) json.closeObject()
    else json.closeArray()
  }
}
