import type { DecoderMemory } from './decoder-memory.ts'
import type { JsonWriter } from './json-writer.ts'
import { EVENT_ID, type LogRecord, type LogRecordSource, MAX_NAME_BYTES, TEXT_KEYS } from './log-record.ts'

// The fields of LogRecord in wasm/assembly/log-record.ts, in words of four bytes.
const TIME = 0
const OBSERVED_TIME = 2
const SEVERITY_NUMBER = 4
const FLAGS = 5
const DROPPED_ATTRIBUTES_COUNT = 6
const PRESENT = 7
const HAS_REST = 8
const HAS_UUID = 9
const TRACE_ID = 10
const SPAN_ID = 11

// The texts there, in threes of words: where one starts, where it ends, and its slot.
const TEXT_WORDS = 3
const SEVERITY_TEXT = 0
const EVENT_NAME = 1
const BODY_TEXT = 2
const FIRST_ATTRIBUTE = 3

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
/** Most bytes of a text that is read as a string: making one takes much longer than copying its bytes. */
export const MAX_TEXT_BYTES = 2 ** 20
/** Of a text that is not kept. */
const NO_SLOT = -(2 ** 31)
/** The bits of the known attributes whose text counts. */
const TEXT_BITS = (1 << TEXT_KEYS.length) - 1

/** How WebAssembly finds and writes the parts of a record in one encoding; see the exports of the same names. */
export interface RecordWriters {
  isMirrored(key: number, mirroredKey: number): number
  writeKnown(key: number, at: number): number
  writeRest(at: number): number
  writeData(key: number, at: number): number
  writeBody(at: number): number
  findBodyText(): number
}

/** The record that WebAssembly came to last. It knows an attribute by its key's place among the known ones. */
export class LogRecordReader implements LogRecordSource {
  readonly #memory: DecoderMemory
  readonly #json: JsonWriter
  readonly #record: number
  readonly #texts: number
  readonly #writers: RecordWriters
  #hasLargeText = false

  constructor(memory: DecoderMemory, json: JsonWriter, writers: RecordWriters) {
    this.#writers = writers
    this.#memory = memory
    this.#json = json
    this.#record = memory.exports.recordAddress.value >>> 2
    this.#texts = memory.exports.textsAddress.value >>> 2
  }

  /** Reads it into a record that is clear; false when its id or another of its texts is longer than 1 MiB. */
  read(record: LogRecord): boolean {
    this.#hasLargeText = false
    const { words, doubles } = this.#memory
    const at = this.#record
    record.timeMicros = doubles[(at + TIME) >>> 1]!
    record.observedMicros = doubles[(at + OBSERVED_TIME) >>> 1]!
    record.severityNumber = words[at + SEVERITY_NUMBER]! | 0
    record.flags = words[at + FLAGS]!
    record.droppedAttributesCount = words[at + DROPPED_ATTRIBUTES_COUNT]!
    record.traceId = this.#hex(words[at + TRACE_ID]!, TRACE_ID_BYTES)
    record.spanId = this.#hex(words[at + SPAN_ID]!, SPAN_ID_BYTES)
    record.severityText = this.#text(SEVERITY_TEXT) ?? ''
    record.eventName = this.#text(EVENT_NAME) ?? ''
    record.hasRest = words[at + HAS_REST] === 1
    const present = words[at + PRESENT]!
    record.addKnown(present)
    for (let bits = present & TEXT_BITS; bits !== 0; bits &= bits - 1) {
      const key = 31 - Math.clz32(bits & -bits)
      if (key === EVENT_ID) this.#readEventId(record)
      else record.texts[key] = this.#text(FIRST_ATTRIBUTE + key)
    }
    // Only now: of the texts that WebAssembly takes for cached, none may stay unread.
    return !this.#hasLargeText
  }

  #readEventId(record: LogRecord): void {
    const { words, bytes } = this.#memory
    const at = this.#texts + TEXT_WORDS * (FIRST_ATTRIBUTE + EVENT_ID)
    const start = words[at]!
    if (words[at + 1]! - start > MAX_TEXT_BYTES) {
      this.#hasLargeText = true
      return
    }
    record.hasUuid = words[this.#record + HAS_UUID] === 1
    record.texts[EVENT_ID] =
      start === 0 ? null : bytes.toString(record.hasUuid ? 'latin1' : 'utf8', start, words[at + 1])
  }

  /** Null for none. */
  #text(index: number): string | null {
    const { words, texts } = this.#memory
    const at = this.#texts + TEXT_WORDS * index
    const start = words[at]!
    if (start === 0) return null
    const slot = words[at + 2]! | 0
    if (slot >= 0) return texts[slot]!
    if (words[at + 1]! - start > MAX_TEXT_BYTES) {
      this.#hasLargeText = true
      return null
    }
    const text = this.#memory.text(start, words[at + 1]!)
    if (slot !== NO_SLOT) texts[-1 - slot] = text
    return text
  }

  #hex(start: number, bytes: number): string | null {
    return start === 0 ? null : this.#memory.bytes.toString('hex', start, start + bytes)
  }

  isMirrored(key: number, mirroredKey: number): boolean {
    return this.#writers.isMirrored(key, mirroredKey) === 1
  }

  writeMember(key: number): void {
    const json = this.#json
    json.position = this.#writers.writeKnown(key, json.position) >>> 0
  }

  writeRest(): void {
    const json = this.#json
    json.position = this.#writers.writeRest(json.position) >>> 0
  }

  writeData(key: number): boolean {
    return this.#write(this.#writers.writeData(key, this.#json.position) >>> 0)
  }

  writeBody(): boolean {
    return this.#write(this.#writers.writeBody(this.#json.position) >>> 0)
  }

  /** @param end of what was written; 0 when nothing was */
  #write(end: number): boolean {
    if (end !== 0) this.#json.position = end
    return end !== 0
  }

  bodyText(): string | null {
    if (this.#writers.findBodyText() === 0) return null
    const { words } = this.#memory
    const at = this.#texts + TEXT_WORDS * BODY_TEXT
    return words[at + 1]! - words[at]! > MAX_NAME_BYTES ? null : this.#text(BODY_TEXT)
  }
}
