import type { Micros } from '@agentic-hooks/events'
import { UndecodableError } from './decoded-request.ts'
import { decodeName } from './names.ts'

const VARINT = 0
const FIXED64 = 1
const LENGTH_DELIMITED = 2
const START_GROUP = 3
const END_GROUP = 4
const FIXED32 = 5

const MAX_VARINT_BYTES = 10
/** Deepest nesting of unknown groups; protobuf's own libraries allow 100. */
const MAX_GROUP_DEPTH = 100

/**
 * Reads Protocol Buffers wire format. Every read takes the `end` of its message, which the caller has checked
 * to lie within the bytes, and throws UndecodableError rather than read beyond it.
 */
export class WireReader {
  readonly bytes: Buffer
  readonly view: DataView
  position = 0
  /** The halves, unsigned, of the 64-bit integer that was read last. */
  low = 0
  high = 0

  constructor(body: Uint8Array) {
    // Always a Buffer, so that the engine sees one shape of array.
    this.bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    this.view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  }

  /** The next field's number and wire type; `position` must be before `end`. */
  tag(end: number): number {
    const first = this.bytes[this.position]!
    if (first >= 8 && first < 0x80) {
      this.position++
      return first
    }
    this.varint(end)
    if (this.high !== 0 || this.low < 8) throw this.error(`field number ${this.high ? 'too large' : 0}`)
    return this.low
  }

  /** The end of the length-delimited field whose content `position` is left at. */
  length(end: number): number {
    const first = this.position < end ? this.bytes[this.position]! : 0x80
    if (first >= 0x80) return this.#longLength(end)
    this.position++
    if (first > end - this.position) throw this.#tooLong(first)
    return this.position + first
  }

  #longLength(end: number): number {
    const first = this.position
    const second = first + 1 < end ? this.bytes[first + 1]! : 0x80
    if (second < 0x80) {
      // Two bytes: up to 16 KiB, which nearly all are.
      const length = (this.bytes[first]! & 0x7f) | (second << 7)
      this.position = first + 2
      if (length > end - this.position) throw this.#tooLong(length)
      return this.position + length
    }
    this.varint(end)
    if (this.high !== 0 || this.low > end - this.position) {
      throw this.#tooLong(this.high * 0x1_0000_0000 + this.low)
    }
    // Small integers to the engine too: it would keep every position as a double, at several times the cost.
    return this.position + (this.low | 0)
  }

  #tooLong(length: number): UndecodableError {
    return this.error(`length ${length} runs beyond the end of its message`)
  }

  /** Leaves the value in `low` and `high`. */
  varint(end: number): void {
    let low = 0
    let high = 0
    const stop = Math.min(end, this.position + MAX_VARINT_BYTES)
    for (let position = this.position, shift = 0; position < stop; shift += 7) {
      const byte = this.bytes[position++]!
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift > 28) high |= bits << (shift - 32)
      else {
        low |= bits << 28
        high = bits >>> 4
      }
      if (byte < 0x80) {
        this.low = low >>> 0
        this.high = high >>> 0
        this.position = position
        return
      }
    }
    throw this.error(stop === end ? 'cut off inside a varint' : 'varint longer than 10 bytes')
  }

  /** The low 32 bits of a varint, as protobuf reads a uint32. */
  uint32(end: number): number {
    this.varint(end)
    return this.low
  }

  /** The text of a length-delimited field. */
  name(end: number): string {
    const stop = this.length(end)
    const text = decodeName(this.bytes, this.view, this.position, stop)
    this.position = stop
    return text
  }

  fixed32(end: number): number {
    const value = this.view.getUint32(this.#fixed(4, end), true)
    this.position += 4
    return value
  }

  double(end: number): number {
    const value = this.view.getFloat64(this.#fixed(8, end), true)
    this.position += 8
    return value
  }

  /**
   * A fixed64 of nanoseconds, truncated to microseconds: exact as far as a number is, and beyond
   * MAX_TIMESTAMP_MICROS for any time that is. 2^32 nanoseconds are 4,294,967 microseconds and 296 nanoseconds.
   */
  nanosAsMicros(end: number): Micros {
    const low = this.view.getUint32(this.#fixed(8, end), true)
    const high = this.view.getUint32(this.position + 4, true)
    this.position += 8
    return high * 4_294_967 + Math.floor((high * 296 + low) / 1000)
  }

  /**
   * Skips a field that the caller does not know.
   * @param known the bits of the field numbers that it knows: one of those has the wrong wire type
   */
  skip(tag: number, end: number, known: number): void {
    const field = tag >>> 3
    if (field < 32 && (known >>> field) & 1) throw this.error(`field ${field} with wire type ${tag & 7}`)
    if ((tag & 7) === START_GROUP) this.#skipGroup(field, end)
    else this.#skipValue(tag, end)
  }

  error(what: string): UndecodableError {
    return new UndecodableError(`not an OTLP logs request in protobuf: ${what} at byte ${this.position}`)
  }

  #fixed(bytes: number, end: number): number {
    if (end - this.position < bytes) throw this.error(`cut off inside ${bytes} fixed bytes`)
    return this.position
  }

  #skipValue(tag: number, end: number): void {
    switch (tag & 7) {
      case VARINT:
        this.varint(end)
        return
      case FIXED64:
        this.position = this.#fixed(8, end) + 8
        return
      case LENGTH_DELIMITED:
        this.position = this.length(end)
        return
      case FIXED32:
        this.position = this.#fixed(4, end) + 4
        return
      default:
        throw this.error(`wire type ${tag & 7}`)
    }
  }

  #skipGroup(field: number, end: number): void {
    const open = [field]
    while (open.length) {
      if (this.position >= end) throw this.error('cut off inside a group')
      const tag = this.tag(end)
      if ((tag & 7) === START_GROUP) {
        if (open.push(tag >>> 3) > MAX_GROUP_DEPTH) throw this.error('groups nested too deep')
      } else if ((tag & 7) === END_GROUP) {
        if (open.pop() !== tag >>> 3) throw this.error('end of another group')
      } else this.#skipValue(tag, end)
    }
  }
}
