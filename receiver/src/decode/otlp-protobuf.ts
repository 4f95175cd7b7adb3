import type { Micros } from '@agentic-hooks/events'
import { AnyValueReader, MAP, NO_PARTS, NO_VALUE } from './any-value.ts'
import { DEFAULT_LIMITS, type DecodedRequest, type DecodeLimits } from './decoded-request.ts'
import { EventAssembler } from './event-assembler.ts'
import { JsonWriter } from './json-writer.ts'
import { EVENT_ID, KNOWN_ATTRIBUTES, type LogRecordSource } from './log-record.ts'
import { decodeName, isLowerCaseUuid, MAX_NAME_BYTES, NameTable } from './names.ts'
import { originMembers, writeResource, writeScope } from './origin.ts'
import { WireReader } from './wire.ts'

// Tags (field number and wire type in one) and, for each message, the bits of its field numbers.
const RESOURCE_LOGS_TAG = 0x0a
const REQUEST_FIELDS = 0b10

const RESOURCE_TAG = 0x0a
const SCOPE_LOGS_TAG = 0x12
const SCHEMA_URL_TAG = 0x1a
const RESOURCE_LOGS_FIELDS = 0b1110

const RESOURCE_ATTRIBUTE_TAG = 0x0a
const RESOURCE_DROPPED_TAG = 0x10
const RESOURCE_FIELDS = 0b110

const SCOPE_TAG = 0x0a
const LOG_RECORD_TAG = 0x12
const SCOPE_LOGS_FIELDS = 0b1110

const SCOPE_NAME_TAG = 0x0a
const SCOPE_VERSION_TAG = 0x12
const SCOPE_ATTRIBUTE_TAG = 0x1a
const SCOPE_DROPPED_TAG = 0x20
const SCOPE_FIELDS = 0b1_1110

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
const NO_FIELDS = 0

const KNOWN_ATTRIBUTE_TABLE = new NameTable(KNOWN_ATTRIBUTES)
const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8

/**
 * The events of an ExportLogsServiceRequest in protobuf, in one pass over its bytes: attributes and bodies go
 * from the wire to JSON without an object between them.
 * @throws UndecodableError
 */
export function decodeOtlpProtobuf(
  body: Uint8Array,
  receivedAtMicros: Micros,
  limits: DecodeLimits = DEFAULT_LIMITS,
): DecodedRequest {
  return new RequestReader(body, receivedAtMicros, limits).read()
}

/** What a Resource or an InstrumentationScope says, its attributes by the positions of their lengths. */
class OriginPart {
  name = ''
  version = ''
  droppedAttributesCount = 0
  schemaUrl = ''
  readonly attributes: number[] = []
}

/**
 * Fields may come in any order and messages in parts, so of each resource and each scope everything but the
 * records is read first. An attribute is known by the position of its length on the wire.
 */
class RequestReader implements LogRecordSource {
  readonly #wire: WireReader
  readonly #json: JsonWriter
  readonly #values: AnyValueReader
  readonly #assembler: EventAssembler
  /** Starts and ends of the parts of the record's body. */
  #bodyParts = NO_PARTS

  constructor(body: Uint8Array, receivedAtMicros: Micros, limits: DecodeLimits) {
    this.#wire = new WireReader(body)
    this.#json = new JsonWriter(body.byteLength)
    this.#values = new AnyValueReader(this.#wire, this.#json)
    this.#assembler = new EventAssembler(this, this.#json, { body, receivedAtMicros, ...limits })
  }

  read(): DecodedRequest {
    const wire = this.#wire
    const end = wire.bytes.length
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === RESOURCE_LOGS_TAG) this.#readResourceLogs(wire.length(end))
      else wire.skip(tag, end, REQUEST_FIELDS)
    }
    return this.#assembler.result()
  }

  #readResourceLogs(end: number): void {
    const wire = this.#wire
    const start = wire.position
    const part = new OriginPart()
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === RESOURCE_TAG) this.#readResource(wire.length(end), part)
      else if (tag === SCOPE_LOGS_TAG) wire.position = wire.length(end)
      else if (tag === SCHEMA_URL_TAG) part.schemaUrl = this.#readText(end)
      else wire.skip(tag, end, RESOURCE_LOGS_FIELDS)
    }
    const resource = writeResource(this.#json, () => this.#writeMembers(part.attributes))
    wire.position = start
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === SCOPE_LOGS_TAG) this.#readScopeLogs(wire.length(end), resource, part)
      else wire.skip(tag, end, NO_FIELDS)
    }
  }

  #readResource(end: number, part: OriginPart): void {
    const wire = this.#wire
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === RESOURCE_ATTRIBUTE_TAG) this.#addAttribute(end, part)
      else if (tag === RESOURCE_DROPPED_TAG) part.droppedAttributesCount = wire.uint32(end)
      else wire.skip(tag, end, RESOURCE_FIELDS)
    }
  }

  #readScopeLogs(end: number, resource: Uint8Array | null, resourcePart: OriginPart): void {
    const wire = this.#wire
    const start = wire.position
    const part = new OriginPart()
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === LOG_RECORD_TAG) wire.position = wire.length(end)
      else if (tag === SCOPE_TAG) this.#readScope(wire.length(end), part)
      else if (tag === SCHEMA_URL_TAG) part.schemaUrl = this.#readText(end)
      else wire.skip(tag, end, SCOPE_LOGS_FIELDS)
    }
    const scope = writeScope(this.#json, part, () => this.#writeMembers(part.attributes))
    this.#assembler.origin = resource || scope ? { resource, scope } : null
    this.#assembler.originMembers = originMembers(resourcePart, part)
    wire.position = start
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === LOG_RECORD_TAG) this.#readLogRecord(wire.length(end))
      else wire.skip(tag, end, NO_FIELDS)
    }
  }

  #readScope(end: number, part: OriginPart): void {
    const wire = this.#wire
    while (wire.position < end) {
      const tag = wire.tag(end)
      if (tag === SCOPE_NAME_TAG) part.name = this.#readText(end)
      else if (tag === SCOPE_VERSION_TAG) part.version = this.#readText(end)
      else if (tag === SCOPE_ATTRIBUTE_TAG) this.#addAttribute(end, part)
      else if (tag === SCOPE_DROPPED_TAG) part.droppedAttributesCount = wire.uint32(end)
      else wire.skip(tag, end, SCOPE_FIELDS)
    }
  }

  #addAttribute(end: number, part: OriginPart): void {
    part.attributes.push(this.#wire.position)
    this.#wire.position = this.#wire.length(end)
  }

  #writeMembers(attributes: readonly number[]): void {
    for (const attribute of attributes) {
      this.#wire.position = attribute
      this.#values.readEntry(this.#wire.length(this.#wire.bytes.length))
      this.#values.writeEntry(1)
    }
  }

  #readLogRecord(end: number): void {
    const wire = this.#wire
    const { record } = this.#assembler
    let attributes = 0
    this.#bodyParts = NO_PARTS
    while (wire.position < end) {
      const tag = wire.tag(end)
      switch (tag) {
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
          record.severityText = this.#readText(end)
          break
        case EVENT_NAME_TAG:
          record.eventName = this.#readText(end)
          break
        case BODY_TAG: {
          const stop = wire.length(end)
          this.#addBodyPart(wire.position, stop)
          wire.position = stop
          break
        }
        case ATTRIBUTE_TAG: {
          const stop = wire.length(end)
          this.#values.readEntry(stop)
          this.#values.keep(attributes)
          const key = this.#values.keyIn(KNOWN_ATTRIBUTE_TABLE)
          if (record.addAttribute(key, attributes++)) this.#readTextAtHand(key)
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
    this.#assembler.add()
    wire.position = end
  }

  #readText(end: number): string {
    const wire = this.#wire
    const stop = wire.length(end)
    const text = decodeName(wire.bytes, wire.view, wire.position, stop)
    wire.position = stop
    return text
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

  #readTextAtHand(key: number): void {
    const { record } = this.#assembler
    const { bytes, view } = this.#wire
    const values = this.#values
    if (!values.findText()) record.texts[key] = null
    else if (key !== EVENT_ID) record.texts[key] = decodeName(bytes, view, values.textStart, values.textEnd)
    else {
      record.hasUuid = isLowerCaseUuid(bytes, values.textStart, values.textEnd)
      record.texts[key] = bytes.toString(record.hasUuid ? 'latin1' : 'utf8', values.textStart, values.textEnd)
    }
  }

  isMirrored(attribute: number, mirroredKey: number): boolean {
    this.#values.recall(attribute)
    return this.#values.findText() && this.#values.isMirrored(mirroredKey)
  }

  writeMember(attribute: number): void {
    this.#values.recall(attribute)
    this.#values.writeEntry(1)
  }

  writeData(attribute: number): boolean {
    const start = this.#json.length
    this.#values.recall(attribute)
    if (this.#values.writeEntryValue(0) === MAP) return true
    this.#json.rewind(start)
    return false
  }

  bodyText(): string | null {
    if (!this.#bodyParts.length) return null
    const values = this.#values
    values.useParts(this.#bodyParts)
    if (!values.findText() || values.textEnd - values.textStart > MAX_NAME_BYTES) return null
    return decodeName(this.#wire.bytes, this.#wire.view, values.textStart, values.textEnd)
  }

  writeBody(): boolean {
    if (!this.#bodyParts.length) return false
    const json = this.#json
    const start = json.length
    json.separate()
    json.literal('"body":')
    this.#values.useParts(this.#bodyParts)
    if (this.#values.writeEntryValue(1) !== NO_VALUE) return true
    json.rewind(start)
    return false
  }
}

function validId(hex: string): string | null {
  return /^0*$/.test(hex) ? null : hex
}
