import { encodeJsonString } from '@agentic-hooks/events'
import { utf8Sequence } from './utf8.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b

/** Longer strings are copied by the engine; for shorter ones the call costs more than it saves. */
const NATIVE_COPY_BYTES = 128
/** The most that one byte of text takes: `\u001f`. */
const ESCAPE_BYTES = 6
/** More than the longest number or literal. */
const SCALAR_BYTES = 32

/** 1 for the bytes that stand for themselves in a JSON string. */
const PLAIN = new Uint8Array(256).fill(1, 0x20, 0x80)
PLAIN[QUOTE] = 0
PLAIN[BACKSLASH] = 0

const ESCAPES = Array.from({ length: 0x80 }, (_, code) =>
  Buffer.from(encodeJsonString(String.fromCharCode(code)).slice(1, -1)),
)
const REPLACEMENT_CHARACTER = Buffer.from('\uFFFD')

/**
 * JSON texts, one after the other in a growing buffer that belongs to one request: what `take` returned stays
 * as it is for as long as anyone keeps it.
 */
export class JsonWriter {
  #bytes: Buffer
  #view: DataView
  length = 0

  constructor(capacityBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** The text since `start`. */
  take(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.length)
  }

  /** Closes the object that was opened at `start` and takes it; null, and nothing written, when it is empty. */
  takeObject(start: number): Uint8Array | null {
    if (this.length === start + 1) {
      this.length = start
      return null
    }
    this.closeObject()
    return this.take(start)
  }

  /** Forgets what was written since `start`. */
  rewind(start: number): void {
    this.length = start
  }

  openObject(): void {
    this.#byte(OPEN_OBJECT)
  }

  openArray(): void {
    this.#byte(OPEN_ARRAY)
  }

  closeObject(): void {
    this.#byte(0x7d)
  }

  closeArray(): void {
    this.#byte(0x5d)
  }

  /** Takes the last bracket back, so that more can be added. */
  reopen(): void {
    this.length--
  }

  /** A comma, except for the first of an object or array. */
  separate(): void {
    const last = this.#bytes[this.length - 1]
    if (last !== OPEN_OBJECT && last !== OPEN_ARRAY) this.#byte(COMMA)
  }

  colon(): void {
    this.#byte(0x3a)
  }

  /** Text that is JSON already. */
  raw(json: string): void {
    this.#reserve(json.length * 3)
    this.length += this.#bytes.write(json, this.length)
  }

  /** Text that is JSON already, in a few ASCII characters. */
  literal(json: string): void {
    this.#reserve(json.length)
    for (let index = 0; index < json.length; index++) this.#bytes[this.length++] = json.charCodeAt(index)
  }

  /** A member of the object that is open. */
  member(key: string, json: string): void {
    this.separate()
    this.raw(`"${key}":${json}`)
  }

  number(value: number): void {
    // -0 is 0 in text.
    this.literal(Number.isFinite(value) ? String(value) : `"${value}"`)
  }

  /** A signed 64-bit integer, every digit, from its unsigned halves. */
  int64(low: number, high: number): void {
    const value = (high | 0) * 0x1_0000_0000 + low
    this.literal(
      Number.isSafeInteger(value)
        ? String(value)
        : String(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))),
    )
  }

  base64(source: Buffer, start: number, end: number): void {
    const text = source.toString('base64', start, end)
    this.#reserve(text.length + 2)
    this.#byte(QUOTE)
    this.length += this.#bytes.write(text, this.length, 'latin1')
    this.#byte(QUOTE)
  }

  /** A JSON string from UTF-8; what cannot be stored (docs/values.md) becomes U+FFFD. */
  string(source: Buffer, view: DataView, start: number, end: number): void {
    this.#reserve(end - start + 2)
    const bytes = this.#bytes
    let length = this.length
    bytes[length++] = QUOTE
    let position = start
    if (end - start > NATIVE_COPY_BYTES) {
      position = plainEnd(source, view, start, end)
      bytes.set(source.subarray(start, position), length)
      length += position - start
    } else {
      const target = this.#view
      for (; position + 4 <= end; position += 4, length += 4) {
        const word = view.getInt32(position, true)
        if (hasSpecial(word)) break
        target.setInt32(length, word, true)
      }
      for (; position < end; position++) {
        const byte = source[position]!
        if (PLAIN[byte] === 0) break
        bytes[length++] = byte
      }
    }
    this.length = length
    if (position < end) this.#escape(source, view, position, end)
    this.#byte(QUOTE)
  }

  /** Writes the rest of a string from its first special byte on. */
  #escape(source: Buffer, view: DataView, start: number, end: number): void {
    let position = start
    while (position < end) {
      const byte = source[position]!
      // Room for the rest of the string, however long this character's escape is.
      this.#reserve(end - position + ESCAPE_BYTES)
      if (byte < 0x80) {
        this.#copy(ESCAPES[byte]!, 0, ESCAPES[byte]!.length)
        position++
      } else {
        const sequence = utf8Sequence(source, position, end)
        if (sequence > 0) this.#copy(source, position, position + sequence)
        else this.#copy(REPLACEMENT_CHARACTER, 0, 3)
        position += Math.abs(sequence)
      }
      const plain = plainEnd(source, view, position, end)
      this.#copy(source, position, plain)
      position = plain
    }
  }

  #copy(source: Buffer, start: number, end: number): void {
    if (end - start > NATIVE_COPY_BYTES) {
      this.#bytes.set(source.subarray(start, end), this.length)
      this.length += end - start
    } else {
      for (let position = start; position < end; position++) this.#bytes[this.length++] = source[position]!
    }
  }

  #byte(byte: number): void {
    if (this.length === this.#bytes.length) this.#reserve(SCALAR_BYTES)
    this.#bytes[this.length++] = byte
  }

  #reserve(bytes: number): void {
    if (bytes > this.#bytes.length - this.length) this.#grow(bytes)
  }

  #grow(bytes: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.length + bytes + SCALAR_BYTES))
    // What was taken stays in the buffer it was written to.
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

function plainEnd(source: Buffer, view: DataView, start: number, end: number): number {
  let position = start
  while (position + 4 <= end && !hasSpecial(view.getInt32(position, true))) position += 4
  while (position < end && PLAIN[source[position]!] === 1) position++
  return position
}

/** Whether one of four bytes is above 0x7f, below 0x20, a quote or a backslash. */
function hasSpecial(word: number): boolean {
  return (
    ((word | (word - 0x20202020) | ((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101)) &
      0x80808080) !==
    0
  )
}
