import type { Budget } from './budget.ts'
import { align, type DecoderMemory } from './decoder-memory.ts'

const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** What the last block of a text may be read beyond its end. */
const MARGIN_BYTES = 16
const UTF8_BYTES_PER_UNIT = 3
const LEAST_PART_BYTES = 1024
const MOST_PART_BYTES = 2 ** 20
/** Of what the JSON is expected to get at most, the size of a part: unused memory brings collections forward, too. */
const PART_SHARE = 0.45

/**
 * JSON texts, one after the other in the decoder's memory, where WebAssembly can write them, too. What `take`
 * returned lies in memory that belongs to one request, gets its bytes with `finish`, and stays as it is for as long as
 * anyone keeps it.
 */
export class JsonWriter {
  readonly #memory: DecoderMemory
  readonly #budget: Budget
  readonly #partBytes: number
  /** Where the JSON of each part begins. */
  readonly #base: number
  /** Where in the decoder's memory the next byte goes. */
  position: number
  /** Of the request's own memory, the part for the texts from `#partStart` on. */
  #part: ArrayBufferLike
  #partStart: number
  #eventStart = 0

  /**
   * @param start where in the decoder's memory the JSON may begin
   * @param capacityBytes how long it is expected to get
   * @param budget what holds the request's own memory
   */
  constructor(memory: DecoderMemory, start: number, capacityBytes: number, budget: Budget) {
    this.#memory = memory
    this.#budget = budget
    this.#base = align(start + MARGIN_BYTES)
    this.position = this.#base
    this.#partStart = this.#base
    const partBytes = Math.max(Math.ceil(capacityBytes * PART_SHARE), LEAST_PART_BYTES)
    this.#partBytes = Math.min(partBytes, MOST_PART_BYTES)
    this.#part = this.#allocate(this.#partBytes)
  }

  /** The text since `start`. */
  take(start: number): Uint8Array {
    const moved = this.gather(start)
    return this.view(start - moved, this.position)
  }

  /** Has all that was written since `start` be in one part; returns how far it was moved towards the start for it. */
  gather(start: number): number {
    if (this.position - this.#partStart <= this.#part.byteLength) return 0
    this.#startPart(start)
    return start - this.#base
  }

  /** The text between two positions that was gathered. */
  view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.#part, start - this.#partStart, end - start)
  }

  /** Closes the object that was opened at `start` and takes it; null, and nothing written, when it is empty. */
  takeObject(start: number): Uint8Array | null {
    return this.endObject(start) ? this.take(start) : null
  }

  /** Closes the object that was opened at `start`; false, and nothing written, when it is empty. */
  endObject(start: number): boolean {
    const isEmpty = this.position === start + 1
    if (isEmpty) this.rewind(start)
    else this.closeObject()
    return !isEmpty
  }

  /** Has what was taken be there. */
  finish(): void {
    this.#finishPart(this.position)
  }

  /** Has a part begin with the text since `start`, at the base again: a request needs no room for all of its JSON. */
  #startPart(start: number): void {
    this.#finishPart(start)
    const byteLength = this.position - start
    this.#part = this.#allocate(Math.max(this.#partBytes, byteLength))
    this.#memory.bytes.copyWithin(this.#base, start, this.position)
    this.#memory.exports.moveJson(start - this.#base)
    this.#partStart = this.#base
    this.#eventStart = this.#base
    this.position = this.#base + byteLength
  }

  #allocate(bytes: number): ArrayBufferLike {
    this.#budget.hold(bytes)
    return Buffer.allocUnsafeSlow(bytes).buffer
  }

  #finishPart(end: number): void {
    new Uint8Array(this.#part).set(this.#memory.bytes.subarray(this.#partStart, end))
  }

  /** Forgets what was written since `start`. */
  rewind(start: number): void {
    this.position = start
  }

  /** An event follows, which may be discarded. */
  beginEvent(): void {
    this.#eventStart = this.position
  }

  /** Forgets what was written, and taken, since `beginEvent`. */
  discardEvent(): void {
    this.position = this.#eventStart
  }

  openObject(): void {
    this.#byte(OPEN_OBJECT)
  }

  closeObject(): void {
    this.#byte(CLOSE_OBJECT)
  }

  /** A comma, except before the first element of an array or member of an object. */
  separate(): void {
    const last = this.#memory.bytes[this.position - 1]
    if (last !== OPEN_ARRAY && last !== OPEN_OBJECT) this.#byte(COMMA)
  }

  /** Text that is JSON already. */
  raw(json: string): void {
    this.#reserve(json.length * UTF8_BYTES_PER_UNIT)
    this.position += this.#memory.bytes.write(json, this.position)
  }

  /** A member of the object that is open. */
  member(key: string, json: string): void {
    this.separate()
    this.raw(`"${key}":${json}`)
  }

  #byte(byte: number): void {
    this.#reserve(1)
    this.#memory.bytes[this.position++] = byte
  }

  #reserve(bytes: number): void {
    this.#memory.grow(this.position + bytes)
  }
}
