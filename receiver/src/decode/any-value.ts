import { MAX_JSON_DEPTH, TOO_DEEP } from '@agentic-hooks/events'
import type { JsonWriter } from './json-writer.ts'
import { MIRRORED_KEYS } from './log-record.ts'
import { isSame, NameTable } from './names.ts'
import type { WireReader } from './wire.ts'

/** Which member of the AnyValue oneof is set, by its field number. */
export const NO_VALUE = 0
const STRING = 1
const BOOL = 2
const INT = 3
const DOUBLE = 4
export const MAP = 6
const BYTES = 7

/** Tags: field number and wire type in one. */
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

/** Bits of the field numbers of each message. */
const KEY_VALUE_FIELDS = 0b110
const ANY_VALUE_FIELDS = 0b1111_1110
const LIST_FIELDS = 0b10
const NO_FIELDS = 0

const NOTHING_MORE: readonly number[] = []
const MIRRORED_KEY_TABLE = new NameTable(MIRRORED_KEYS)
const NO_TEXT = -1
const TOO_DEEP_JSON = `"${TOO_DEEP}"`

/**
 * Reads KeyValue and AnyValue messages and writes them as JSON without making objects of them. Messages that
 * occur more than once are merged as protobuf says: of a oneof and of a key the last counts, lists are joined.
 */
export class AnyValueReader {
  readonly #wire: WireReader
  readonly #json: JsonWriter

  /** The KeyValue that `readEntry` read. */
  keyStart = 0
  keyEnd = 0
  valueStart = 0
  valueEnd = 0
  /** Starts and ends of further values of it, which only hand-made messages have. */
  moreValues = NOTHING_MORE

  /** The text that `findText` found. */
  textStart = 0
  textEnd = 0

  /** Starts and ends of the texts under mirrored keys of the map that was written last at depth 0. */
  readonly #mirrored: number[] = MIRRORED_KEYS.flatMap(() => [NO_TEXT, NO_TEXT])

  constructor(wire: WireReader, json: JsonWriter) {
    this.#wire = wire
    this.#json = json
  }

  /** Finds key and value of the KeyValue between the wire's position and `end`. */
  readEntry(end: number): void {
    const wire = this.#wire
    const start = wire.position
    this.moreValues = NOTHING_MORE
    // As every encoder writes it: the key, then the value, each once.
    if (start < end && wire.bytes[start] === KEY_TAG) {
      wire.position++
      this.keyEnd = wire.length(end)
      this.keyStart = wire.position
      wire.position = this.keyEnd
      if (this.keyEnd < end && wire.bytes[this.keyEnd] === VALUE_TAG) {
        wire.position++
        this.valueEnd = wire.length(end)
        this.valueStart = wire.position
        if (this.valueEnd === end) return
      }
    }
    wire.position = start
    this.#readAnyEntry(end)
  }

  #readAnyEntry(end: number): void {
    const wire = this.#wire
    const values: number[] = []
    this.keyStart = this.keyEnd = end
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag !== KEY_TAG && tag !== VALUE_TAG) {
        wire.skip(tag, end, KEY_VALUE_FIELDS)
        continue
      }
      const stop = wire.length(end)
      if (tag === VALUE_TAG) values.push(wire.position, stop)
      else {
        this.keyStart = wire.position
        this.keyEnd = stop
      }
      wire.position = stop
    }
    this.valueStart = values[0] ?? end
    this.valueEnd = values[1] ?? end
    if (values.length > 2) this.moreValues = values.slice(2)
  }

  /** Takes an AnyValue, given by the starts and ends of its parts, for the value of an entry. */
  useParts(parts: readonly number[]): void {
    this.valueStart = parts[0]!
    this.valueEnd = parts[1]!
    this.moreValues = parts.length > 2 ? parts.slice(2) : NOTHING_MORE
  }

  /** The index of the entry's key among the names of a table, or -1. */
  keyIn(table: NameTable): number {
    return table.indexOf(this.#wire.view, this.keyStart, this.keyEnd)
  }

  /** Finds the text of the entry that was read; false when its value is no string. */
  findText(): boolean {
    const more = this.moreValues
    let kind = this.#findText(this.valueStart, this.valueEnd, NO_VALUE)
    for (let index = 0; index < more.length; index += 2) {
      kind = this.#findText(more[index]!, more[index + 1]!, kind)
    }
    return kind === STRING
  }

  #findText(start: number, end: number, kind: number): number {
    const wire = this.#wire
    wire.position = start
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === STRING_TAG) {
        this.textEnd = wire.length(end)
        this.textStart = wire.position
        wire.position = this.textEnd
      } else wire.skip(tag, end, NO_FIELDS)
      if (tag >>> 3 >= STRING && tag >>> 3 <= BYTES) kind = tag >>> 3
    }
    return kind
  }

  /** Whether the text that was found stands under a mirrored key of the map that was written last at depth 0. */
  isMirrored(mirroredKey: number): boolean {
    const { view } = this.#wire
    const start = this.#mirrored[2 * mirroredKey]!
    const length = this.textEnd - this.textStart
    if (start === NO_TEXT || length !== this.#mirrored[2 * mirroredKey + 1]! - start) return false
    return isSame(view, this.textStart, view, start, length)
  }

  #noteMirrored(): void {
    const key = this.keyIn(MIRRORED_KEY_TABLE)
    if (key < 0) return
    const isText = this.findText()
    this.#mirrored[2 * key] = isText ? this.textStart : NO_TEXT
    this.#mirrored[2 * key + 1] = isText ? this.textEnd : NO_TEXT
  }

  /** Writes `"key":value` of the entry that was read; `depth` objects and arrays are around its object. */
  writeEntry(depth: number): void {
    const { bytes, view } = this.#wire
    this.#json.separate()
    this.#json.string(bytes, view, this.keyStart, this.keyEnd)
    this.#json.colon()
    this.writeEntryValue(depth)
  }

  /** Writes the value of the entry that was read, `null` when it has none; returns the oneof's member. */
  writeEntryValue(depth: number): number {
    const start = this.#json.length
    const more = this.moreValues
    let kind = this.writeValue(this.valueStart, this.valueEnd, depth)
    for (let index = 0; index < more.length; index += 2) {
      kind = this.writeValue(more[index]!, more[index + 1]!, depth, kind, start)
    }
    if (kind === NO_VALUE) this.#json.literal('null')
    return kind
  }

  /**
   * Writes the AnyValue from `start` to `end`, nothing when it has no value; returns the oneof's member.
   * @param kind the member that an earlier occurrence of the same field set and wrote at `written`
   */
  writeValue(
    start: number,
    end: number,
    depth: number,
    kind = NO_VALUE,
    written = this.#json.length,
  ): number {
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

  /** Writes an ArrayValue or a KeyValueList that ends at `end`, or adds to the one of that kind just written. */
  #writeList(tag: number, end: number, depth: number, kind: number): void {
    const wire = this.#wire
    const json = this.#json
    const isMap = tag === MAP_TAG
    if (depth >= MAX_JSON_DEPTH) {
      if (kind !== tag >>> 3) json.raw(TOO_DEEP_JSON)
      wire.position = end
      return
    }
    if (kind === tag >>> 3) json.reopen()
    else if (isMap) {
      json.openObject()
      if (depth === 0) this.#mirrored.fill(NO_TEXT)
    } else json.openArray()
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
        this.writeEntry(depth + 1)
      } else {
        json.separate()
        if (this.writeValue(wire.position, stop, depth + 1) === NO_VALUE) json.literal('null')
      }
      wire.position = stop
    }
    if (isMap) json.closeObject()
    else json.closeArray()
  }
}
