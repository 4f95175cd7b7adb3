import { encodeJsonString } from '@agentic-hooks/events'
import { utf8Sequence } from './utf8.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Longer strings are copied by the engine; for shorter ones the call costs more than it saves. */
const NATIVE_COPY_BYTES = 192
/** The most that one byte of text takes: `\u001f`. */
const ESCAPE_BYTES = 6
/** Room that is reserved beside a string for its quotes, the comma before it and the colon after it. */
const PUNCTUATION_BYTES = 4
const UTF8_BYTES_PER_UNIT = 3

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
  #buffer: ArrayBufferLike
  #bytes: Buffer
  #view: DataView
  length = 0

  constructor(capacityBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes)
    this.#buffer = this.#bytes.buffer
    this.#view = new DataView(this.#buffer)
  }

  /** The text since `start`. */
  take(start: number): Uint8Array {
    return new Uint8Array(this.#buffer, start, this.length - start)
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

  closeObject(): void {
    this.#byte(CLOSE_OBJECT)
  }

  openArray(): void {
    this.#byte(OPEN_ARRAY)
  }

  closeArray(): void {
    this.#byte(CLOSE_ARRAY)
  }

  /** Takes the last bracket back, so that more can be added. */
  reopen(): void {
    this.length--
  }

  /** A comma, except before the first element of an array or member of an object. */
  separate(): void {
    const last = this.#bytes[this.length - 1]
    if (last !== OPEN_ARRAY && last !== OPEN_OBJECT) this.#byte(COMMA)
  }

  /** Text that is JSON already. */
  raw(json: string): void {
    this.#reserve(json.length * UTF8_BYTES_PER_UNIT)
    this.length += this.#bytes.write(json, this.length)
  }

  /** The same in a few ASCII characters. */
  literal(json: string): void {
    this.#reserve(json.length)
    const bytes = this.#bytes
    const start = this.length
    for (let index = 0; index < json.length; index++) bytes[start + index] = json.charCodeAt(index)
    this.length = start + json.length
  }

  /** A member of the object that is open. */
  member(key: string, json: string): void {
    this.separate()
    this.raw(`"${key}":${json}`)
  }

  number(value: number): void {
    // The text of -0 is 0.
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
    this.#reserve(text.length + PUNCTUATION_BYTES)
    this.#byte(QUOTE)
    this.length += this.#bytes.write(text, this.length, 'latin1')
    this.#byte(QUOTE)
  }

  /** A string from UTF-8; what cannot be stored (docs/values.md) becomes U+FFFD. */
  string(source: Buffer, view: DataView, start: number, end: number): void {
    this.#reserve(end - start + PUNCTUATION_BYTES)
    this.#bytes[this.length++] = QUOTE
    if (end - start > NATIVE_COPY_BYTES) this.#longText(source, view, start, end)
    else this.#text(source, view, start, end)
    this.#bytes[this.length++] = QUOTE
  }

  /** The key of a member of the object that is open, from UTF-8. */
  key(source: Buffer, view: DataView, start: number, end: number): void {
    this.#reserve(end - start + PUNCTUATION_BYTES)
    if (this.#bytes[this.length - 1] !== OPEN_OBJECT) this.#bytes[this.length++] = COMMA
    this.#bytes[this.length++] = QUOTE
    this.#text(source, view, start, end)
    this.#bytes[this.length++] = QUOTE
    this.#bytes[this.length++] = COLON
  }

  /** Text without its quotes, four bytes at a time until the first that needs an escape. */
  #text(source: Buffer, view: DataView, start: number, end: number): void {
    const last = end - 4
    if (last < start) {
      this.#longText(source, view, start, end)
      return
    }
    const target = this.#view
    const shift = this.length - start
    let position = start
    let word = view.getInt32(position)
    while (position < last && !needsEscape(word)) {
      target.setInt32(position + shift, word)
      // The last four bytes overlap those before them rather than being copied one by one.
      position = position + 4 < last ? position + 4 : last
      word = view.getInt32(position)
    }
    if (needsEscape(word)) {
      this.length = position + shift
      this.#longText(source, view, position, end)
      return
    }
    target.setInt32(last + shift, word)
    this.length = end + shift
  }

  #longText(source: Buffer, view: DataView, start: number, end: number): void {
    let position = start
    while (true) {
      const plain = plainEnd(source, view, position, end)
      this.#copy(source, position, plain)
      if (plain === end) return
      // An escape takes more than the byte that was reserved for its character.
      this.#reserve(end - plain + ESCAPE_BYTES + PUNCTUATION_BYTES)
      position = plain + this.#escape(source, plain, end)
    }
  }

  /** Writes the character at `position`, which is not plain, and returns how many bytes it took there. */
  #escape(source: Buffer, position: number, end: number): number {
    const byte = source[position]!
    if (byte < 0x80) {
      this.#copy(ESCAPES[byte]!, 0, ESCAPES[byte]!.length)
      return 1
    }
    const sequence = utf8Sequence(source, position, end)
    if (sequence > 0) this.#copy(source, position, position + sequence)
    else this.#copy(REPLACEMENT_CHARACTER, 0, REPLACEMENT_CHARACTER.length)
    return Math.abs(sequence)
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
    this.#reserve(1)
    this.#bytes[this.length++] = byte
  }

  #reserve(bytes: number): void {
    if (bytes > this.#bytes.length - this.length) this.#grow(bytes)
  }

  /** What was taken stays in the old buffer. */
  #grow(bytes: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.length + bytes))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
    this.#buffer = grown.buffer
    this.#view = new DataView(grown.buffer)
  }
}

function plainEnd(source: Buffer, view: DataView, start: number, end: number): number {
  let position = start
  while (position + 4 <= end && !needsEscape(view.getInt32(position))) position += 4
  while (position < end && PLAIN[source[position]!] === 1) position++
  return position
}

/** Whether one of four bytes is above 0x7f, below 0x20, a quote or a backslash. */
function needsEscape(word: number): boolean {
  return (
    ((word | (word - 0x20202020) | ((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101)) &
      0x80808080) !==
    0
  )
}
