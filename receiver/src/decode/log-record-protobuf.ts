import { type AnyValueWriter, MAP, NO_VALUE } from './any-value.ts'
import type { JsonWriter } from './json-writer.ts'
import { type KeyValueReader, NO_PARTS } from './key-value.ts'
import { EVENT_ID, KNOWN_ATTRIBUTES, type LogRecord, type LogRecordSource } from './log-record.ts'
import { decodeName, isLowerCaseUuid, MAX_NAME_BYTES, NameTable } from './names.ts'
import type { WireReader } from './wire.ts'

// Tags (field number and wire type in one) and the bits of the field numbers.
const TIME_TAG = 0x09
const SEVERITY_NUMBER_TAG = 0x10
const SEVERITY_TEXT_TAG = 0x1a
const BODY_TAG = 0x2a
const ATTRIBUTE_TAG = 0x32
const DROPPED_TAG = 0x38
const FLAGS_TAG = 0x45
const TRACE_ID_TAG = 0x4a
const SPAN_ID_TAG = 0x52
const OBSERVED_TIME_TAG = 0x59
const EVENT_NAME_TAG = 0x62
const LOG_RECORD_FIELDS = 0b1_1111_1110_1110

const KNOWN_ATTRIBUTE_TABLE = new NameTable(KNOWN_ATTRIBUTES)
const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8

/** Reads LogRecord messages. An attribute is known by its place among the record's attributes. */
export class LogRecordReader implements LogRecordSource {
  readonly #wire: WireReader
  readonly #entry: KeyValueReader
  readonly #values: AnyValueWriter
  readonly #json: JsonWriter
  /** Starts and ends of the parts of the record's body. */
  #bodyParts = NO_PARTS

  constructor(wire: WireReader, entry: KeyValueReader, values: AnyValueWriter, json: JsonWriter) {
    this.#wire = wire
    this.#entry = entry
    this.#values = values
    this.#json = json
  }

  /** Reads the message between the wire's position and `end` into a record that is clear. */
  read(end: number, record: LogRecord): void {
    const wire = this.#wire
    const entry = this.#entry
    let attributes = 0
    this.#bodyParts = NO_PARTS
    while (wire.position < end) {
      const tag = wire.tag(end)
      switch (tag) {
        case ATTRIBUTE_TAG: {
          const stop = wire.length(end)
          entry.read(stop)
          entry.keep(attributes)
          const key = entry.keyIn(KNOWN_ATTRIBUTE_TABLE)
          if (record.addAttribute(key, attributes++)) this.#readKnownText(key, record)
          wire.position = stop
          break
        }
        case TIME_TAG:
          record.timeMicros = wire.nanosAsMicros(end)
          break
        case OBSERVED_TIME_TAG:
          record.observedMicros = wire.nanosAsMicros(end)
          break
        case SEVERITY_NUMBER_TAG:
          record.severityNumber = wire.uint32(end) | 0
          break
        case SEVERITY_TEXT_TAG:
          record.severityText = wire.name(end)
          break
        case EVENT_NAME_TAG:
          record.eventName = wire.name(end)
          break
        case BODY_TAG: {
          const stop = wire.length(end)
          this.#addBodyPart(wire.position, stop)
          wire.position = stop
          break
        }
        case DROPPED_TAG:
          record.droppedAttributesCount = wire.uint32(end)
          break
        case FLAGS_TAG:
          record.flags = wire.fixed32(end)
          break
        case TRACE_ID_TAG:
          record.traceId = this.#readId(end, TRACE_ID_BYTES)
          break
        case SPAN_ID_TAG:
          record.spanId = this.#readId(end, SPAN_ID_BYTES)
          break
        default:
          wire.skip(tag, end, LOG_RECORD_FIELDS)
      }
    }
  }

  /** Hex digits; null for an id that is not valid, which OpenTelemetry treats as absent. */
  #readId(end: number, bytes: number): string | null {
    const wire = this.#wire
    const start = wire.position + 1
    const stop = wire.length(end)
    wire.position = stop
    return stop - start === bytes ? validId(wire.bytes.toString('hex', start, stop)) : null
  }

  #addBodyPart(start: number, end: number): void {
    this.#bodyParts = this.#bodyParts === NO_PARTS ? [start, end] : [...this.#bodyParts, start, end]
  }

  #readKnownText(key: number, record: LogRecord): void {
    const { bytes, view } = this.#wire
    const entry = this.#entry
    if (!entry.findText()) record.texts[key] = null
    else if (key !== EVENT_ID) record.texts[key] = decodeName(bytes, view, entry.textStart, entry.textEnd)
    else {
      record.hasUuid = isLowerCaseUuid(bytes, entry.textStart, entry.textEnd)
      record.texts[key] = bytes.toString(record.hasUuid ? 'latin1' : 'utf8', entry.textStart, entry.textEnd)
    }
  }

  isMirrored(attribute: number, mirroredKey: number): boolean {
    this.#entry.recall(attribute)
    return this.#entry.findText() && this.#values.isMirrored(mirroredKey)
  }

  writeMember(attribute: number): void {
    this.#entry.recall(attribute)
    this.#values.writeMember(1)
  }

  writeData(attribute: number): boolean {
    const start = this.#json.length
    this.#entry.recall(attribute)
    if (this.#values.writeValue(0) === MAP) return true
    this.#json.rewind(start)
    return false
  }

  bodyText(): string | null {
    if (!this.#bodyParts.length) return null
    const entry = this.#entry
    entry.useParts(this.#bodyParts)
    if (!entry.findText() || entry.textEnd - entry.textStart > MAX_NAME_BYTES) return null
    return decodeName(this.#wire.bytes, this.#wire.view, entry.textStart, entry.textEnd)
  }

  writeBody(): boolean {
    if (!this.#bodyParts.length) return false
    const json = this.#json
    const start = json.length
    json.separate()
    json.literal('"body":')
    this.#entry.useParts(this.#bodyParts)
    if (this.#values.writeValue(1) !== NO_VALUE) return true
    json.rewind(start)
    return false
  }
}

function validId(hex: string): string | null {
  return /^0*$/.test(hex) ? null : hex
}
