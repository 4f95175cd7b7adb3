import { MAX_JSON_DEPTH, TOO_DEEP } from '@agentic-hooks/events'
import type { JsonWriter } from './json-writer.ts'
import type { KeyValueReader } from './key-value.ts'
import { MIRRORED_KEYS } from './log-record.ts'
import { NameTable } from './names.ts'
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
const STRING_TAG = 0x0a
const BOOL_TAG = 0x10
const INT_TAG = 0x18
const DOUBLE_TAG = 0x21
const ARRAY_TAG = 0x2a
const MAP_TAG = 0x32
const BYTES_TAG = 0x3a
const ELEMENT_TAG = 0x0a

// For each message, the bits of its field numbers.
const ANY_VALUE_FIELDS = 0b1111_1110
const LIST_FIELDS = 0b10

const TOO_DEEP_JSON = `"${TOO_DEEP}"`
/** No text has a length of -1. */
const NO_TEXT = [0, -1]
const NO_TEXTS = MIRRORED_KEYS.flatMap(() => NO_TEXT)
const MIRRORED_KEY_TABLE = new NameTable(MIRRORED_KEYS)

/**
 * Writes AnyValue messages as JSON, without making objects of them. One that comes in parts is merged as
 * protobuf says: of a oneof the last member counts, lists are joined.
 */
export class AnyValueWriter {
  readonly #wire: WireReader
  readonly #entry: KeyValueReader
  readonly #json: JsonWriter

  /** Starts and ends of the texts under mirrored keys in the map that was written last at depth 0. */
  readonly #mirrored: number[] = NO_TEXTS.slice()

  /** @param entry has the value to write at hand */
  constructor(wire: WireReader, entry: KeyValueReader, json: JsonWriter) {
    this.#wire = wire
    this.#entry = entry
    this.#json = json
  }

  /** Whether the text that the entry found stands under that mirrored key in the map written last at depth 0. */
  isMirrored(mirroredKey: number): boolean {
    return this.#entry.isText(this.#mirrored[2 * mirroredKey]!, this.#mirrored[2 * mirroredKey + 1]!)
  }

  #noteMirrored(): void {
    const entry = this.#entry
    const key = entry.keyIn(MIRRORED_KEY_TABLE)
    if (key < 0) return
    const isText = entry.findText()
    this.#mirrored[2 * key] = isText ? entry.textStart : NO_TEXT[0]!
    this.#mirrored[2 * key + 1] = isText ? entry.textEnd : NO_TEXT[1]!
  }

  #forgetMirrored(): void {
    // A loop: Array.prototype.fill costs more than all the rest of a small record.
    for (let index = 0; index < this.#mirrored.length; index++) this.#mirrored[index] = NO_TEXTS[index]!
  }

  /** Writes `"key":value` of the entry, whose object lies in `depth - 1` others. */
  writeMember(depth: number): void {
    const { bytes, view } = this.#wire
    this.#json.key(bytes, view, this.#entry.keyStart, this.#entry.keyEnd)
    this.writeValue(depth)
  }

  /** Writes the value of the entry, `null` when there is none; returns the oneof's member. */
  writeValue(depth: number): number {
    const { bytes, view } = this.#wire
    const json = this.#json
    const entry = this.#entry
    if (entry.findShortText()) {
      json.string(bytes, view, entry.textStart, entry.textEnd)
      return STRING
    }
    const start = json.length
    const parts = entry.moreParts
    let kind = this.#writePart(entry.valueStart, entry.valueEnd, depth, NO_VALUE, start)
    for (let index = 0; index < parts.length; index += 2) {
      kind = this.#writePart(parts[index]!, parts[index + 1]!, depth, kind, start)
    }
    if (kind === NO_VALUE) json.literal('null')
    return kind
  }

  /**
   * Writes a part of an AnyValue and returns the oneof's member.
   * @param kind the member that an earlier part set and that stands at `written`
   */
  #writePart(start: number, end: number, depth: number, kind: number, written: number): number {
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
        this.#entry.read(stop)
        if (depth === 0) this.#noteMirrored()
        this.writeMember(depth + 1)
      } else {
        json.separate()
        const start = json.length
        if (this.#writePart(wire.position, stop, depth + 1, NO_VALUE, start) === NO_VALUE)
          json.literal('null')
      }
      wire.position = stop
    }
    if (isMap) json.closeObject()
    else json.closeArray()
  }
}
