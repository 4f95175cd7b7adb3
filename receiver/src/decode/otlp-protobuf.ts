import type { Micros } from '@agentic-hooks/events'
import { AnyValueWriter } from './any-value.ts'
import { DEFAULT_LIMITS, type DecodedRequest, type DecodeLimits } from './decoded-request.ts'
import { EventAssembler } from './event-assembler.ts'
import { JsonWriter } from './json-writer.ts'
import { KeyValueReader } from './key-value.ts'
import { LogRecordReader } from './log-record-protobuf.ts'
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
const NO_FIELDS = 0

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
 * records is read first.
 */
class RequestReader {
  readonly #wire: WireReader
  readonly #json: JsonWriter
  readonly #entry: KeyValueReader
  readonly #values: AnyValueWriter
  readonly #records: LogRecordReader
  readonly #assembler: EventAssembler

  constructor(body: Uint8Array, receivedAtMicros: Micros, limits: DecodeLimits) {
    const wire = new WireReader(body)
    const json = new JsonWriter(body.byteLength)
    this.#wire = wire
    this.#json = json
    this.#entry = new KeyValueReader(wire)
    this.#values = new AnyValueWriter(wire, this.#entry, json)
    this.#records = new LogRecordReader(wire, this.#entry, this.#values, json)
    this.#assembler = new EventAssembler(this.#records, json, { body, receivedAtMicros, ...limits })
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
      else if (tag === SCHEMA_URL_TAG) part.schemaUrl = wire.name(end)
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
      else if (tag === SCHEMA_URL_TAG) part.schemaUrl = wire.name(end)
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
      if (tag === SCOPE_NAME_TAG) part.name = wire.name(end)
      else if (tag === SCOPE_VERSION_TAG) part.version = wire.name(end)
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
      this.#entry.read(this.#wire.length(this.#wire.bytes.length))
      this.#values.writeMember(1)
    }
  }

  #readLogRecord(end: number): void {
    this.#records.read(end, this.#assembler.record)
    this.#assembler.add()
    this.#wire.position = end
  }
}
