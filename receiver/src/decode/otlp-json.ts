import { isJsonObject, type Micros, storableText } from '@agentic-hooks/events'
import { Budget } from './budget.ts'
import { type DecodedRequest, UndecodableError } from './decoded-request.ts'
import { DecoderMemory } from './decoder-memory.ts'
import { EventAssembler } from './event-assembler.ts'
import { JsonWriter } from './json-writer.ts'
import {
  EVENT_ID,
  KNOWN_ATTRIBUTES,
  type LogRecordSource,
  MAX_NAME_BYTES,
  MIRRORED_KEYS,
  TEXT_KEYS,
} from './log-record.ts'
import { type OriginFields, originMembers, writeResource, writeScope } from './origin.ts'
import {
  eachOf,
  inside,
  int32Of,
  type JsonObject,
  memberJson,
  memberOf,
  memberValue,
  nanosAsMicrosOf,
  objectOf,
  textOf,
  unknownMember,
  valueJson,
  wrongType,
} from './otlp-any-value-json.ts'
import { RequestHash } from './request-hash.ts'
import { parseBody } from './rest.ts'

const UINT32_MAX = 2 ** 32 - 1
const INT32_MIN = -(2 ** 31)
const INT32_MAX = 2 ** 31 - 1
const HEX = /^[0-9a-f]*$/i
const ZEROS = /^0*$/
const BASE64_ID = /^[\w+/-]+={1,2}$/

/** Their numbers are their places, as in the enum of OTLP. */
const SEVERITY_NAMES = [
  'UNSPECIFIED',
  ...['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].flatMap((name) => [
    name,
    ...[2, 3, 4].map((number) => name + number),
  ]),
].map((name) => `SEVERITY_NUMBER_${name}`)

const KNOWN_ATTRIBUTE_INDEX = new Map(KNOWN_ATTRIBUTES.map((name, index) => [name, index]))

/**
 * The events of an ExportLogsServiceRequest in OTLP JSON: names in lowerCamelCase or as in the .proto file, ids in hex or
 * base64, integers as numbers or strings, enums as integers or names, bytes in base64; unknown members are ignored, and
 * null means absent. A record with something wrong inside is rejected alone.
 * @throws UndecodableError when something else is wrong or no record is right; it names the place, as in
 *   `resourceLogs[0].scopeLogs[1].logRecords[3].traceId`
 */
export function decodeOtlpJson(
  body: Uint8Array,
  receivedAtMicros: Micros,
  budget = Budget.of(body),
): DecodedRequest {
  const request = parseBody(body)
  if (!isJsonObject(request))
    throw new UndecodableError('the body must be a JSON object, an ExportLogsServiceRequest')
  const memory = DecoderMemory.take(body.byteLength)
  try {
    return new RequestReader(memory, body, receivedAtMicros, budget).read(request)
  } finally {
    DecoderMemory.giveBack(memory)
  }
}

class RequestReader implements LogRecordSource {
  readonly #budget: Budget
  readonly #json: JsonWriter
  readonly #assembler: EventAssembler
  #record: JsonObject = {}
  /** Where the records are that are read now. */
  #place = ''
  #firstWrong: UndecodableError | null = null
  #wrongRecords = 0
  /** The places of its attributes: the last one of each known key, and all others. */
  readonly #known: number[] = KNOWN_ATTRIBUTES.map(() => 0)
  readonly #rest: number[] = []
  /** The strings under mirrored keys of the map that `writeData` wrote last. */
  #mirrored: (string | null)[] = []

  constructor(memory: DecoderMemory, body: Uint8Array, receivedAtMicros: Micros, budget: Budget) {
    const { byteLength } = body
    const hash = new RequestHash(() => body)
    this.#budget = budget
    this.#json = new JsonWriter(memory, memory.free, byteLength, budget)
    this.#assembler = new EventAssembler(this, this.#json, { hash, receivedAtMicros, budget })
  }

  read(request: JsonObject): DecodedRequest {
    eachOf(request, 'resourceLogs', (resourceLogs, index) => this.#readResourceLogs(resourceLogs, index))
    const decoded = this.#assembler.result()
    const { batch, rejected } = decoded
    if (this.#firstWrong && batch.events.length === 0 && rejected.length === this.#wrongRecords)
      throw this.#firstWrong
    const unknown = this.#assembler.count === 0 ? unknownMember(request) : null
    if (unknown === null) return decoded
    return { ...decoded, warning: `no log records found; ${unknown} is not known in OTLP logs` }
  }

  #readResourceLogs(resourceLogs: JsonObject, index: number): void {
    this.#budget.addContainer()
    const part = objectOf(resourceLogs, 'resource') ?? {}
    const fields = originFields(part, resourceLogs)
    const resource = writeResource(this.#json, () => this.#writeAttributes(part))
    eachOf(resourceLogs, 'scopeLogs', (scopeLogs, scopeIndex) => {
      this.#place = `resourceLogs[${index}].scopeLogs[${scopeIndex}]`
      this.#readScopeLogs(scopeLogs, resource, fields)
    })
  }

  #readScopeLogs(scopeLogs: JsonObject, resource: Uint8Array | null, resourceFields: OriginFields): void {
    this.#budget.addContainer()
    const part = objectOf(scopeLogs, 'scope') ?? {}
    const fields = originFields(part, scopeLogs)
    const scope = writeScope(this.#json, fields, () => this.#writeAttributes(part))
    const origin = resource || scope ? { resource, scope } : null
    this.#assembler.setOrigin(origin, originMembers(resourceFields, fields))
    let index = this.#assembler.count
    eachOf(
      scopeLogs,
      'logRecords',
      (logRecord) => {
        this.#readLogRecord(logRecord)
        index = this.#assembler.count
      },
      (error) => this.#reject(index++, error),
    )
  }

  /** What the record has written so far stays where it is, unread. */
  #reject(index: number, error: UndecodableError): void {
    this.#firstWrong ??= new UndecodableError(`${this.#place}.${error.message}`)
    this.#wrongRecords++
    this.#assembler.reject(index, error.message)
  }

  #writeAttributes(part: JsonObject): void {
    eachOf(part, 'attributes', (attribute) => this.#write(memberJson(attribute, 1)))
  }

  #readLogRecord(source: JsonObject): void {
    const { record } = this.#assembler
    record.timeMicros = nanosAsMicrosOf(source, 'timeUnixNano')
    record.observedMicros = nanosAsMicrosOf(source, 'observedTimeUnixNano')
    record.severityNumber = severityOf(source)
    record.severityText = textOf(source, 'severityText')
    record.eventName = storableText(textOf(source, 'eventName'))
    record.droppedAttributesCount = uint32(source, 'droppedAttributesCount')
    record.flags = uint32(source, 'flags')
    record.traceId = hexId(source, 'traceId', 32)
    record.spanId = hexId(source, 'spanId', 16)
    this.#record = source
    this.#rest.length = 0
    let place = 0
    eachOf(source, 'attributes', (attribute) => this.#readAttribute(attribute, place++))
    record.hasRest = this.#rest.length > 0
    this.#assembler.add()
  }

  #readAttribute(attribute: JsonObject, place: number): void {
    const { record } = this.#assembler
    const key = KNOWN_ATTRIBUTE_INDEX.get(textOf(attribute, 'key')) ?? -1
    if (key < 0) {
      this.#rest.push(place)
      return
    }
    this.#known[key] = place
    record.addKnown(1 << key)
    if (key < TEXT_KEYS.length) record.texts[key] = textAs(key, stringIn(objectOf(attribute, 'value')))
  }

  #attribute(place: number): JsonObject {
    return (this.#record.attributes as JsonObject[])[place]!
  }

  isMirrored(key: number, mirroredKey: number): boolean {
    const text = stringIn(objectOf(this.#attribute(this.#known[key]!), 'value'))
    return text !== null && text === this.#mirrored[mirroredKey]
  }

  writeMember(key: number): void {
    this.#writeAttribute(this.#known[key]!)
  }

  writeRest(): void {
    for (const place of this.#rest) this.#writeAttribute(place)
  }

  #writeAttribute(place: number): void {
    try {
      this.#write(memberJson(this.#attribute(place), 1))
    } catch (error) {
      throw inside(`attributes[${place}]`, error)
    }
  }

  writeData(key: number): boolean {
    const place = this.#known[key]!
    const keyValue = this.#attribute(place)
    const value = objectOf(keyValue, 'value')
    if (value === null || memberOf(value) !== 'kvlistValue') return false
    try {
      this.#json.raw(valueJson(keyValue, 'value', 0))
    } catch (error) {
      throw inside(`attributes[${place}]`, error)
    }
    this.#mirrored = MIRRORED_KEYS.map(() => null)
    eachOf(objectOf(value, 'kvlistValue')!, 'values', (entry) => {
      const key = MIRRORED_KEYS.indexOf(textOf(entry, 'key'))
      if (key >= 0) this.#mirrored[key] = stringIn(objectOf(entry, 'value'))
    })
    return true
  }

  bodyText(): string | null {
    const text = stringIn(objectOf(this.#record, 'body'))
    return text === null || Buffer.byteLength(text) > MAX_NAME_BYTES ? null : storableText(text)
  }

  writeBody(): boolean {
    const json = valueJson(this.#record, 'body', 1)
    if (json === 'null') return false
    this.#json.member('body', json)
    return true
  }

  #write(member: string): void {
    this.#json.separate()
    this.#json.raw(member)
  }
}

function originFields(part: JsonObject, parent: JsonObject): OriginFields {
  return {
    name: textOf(part, 'name'),
    version: textOf(part, 'version'),
    droppedAttributesCount: uint32(part, 'droppedAttributesCount'),
    schemaUrl: textOf(parent, 'schemaUrl'),
  }
}

/** What an id is derived from is its text as it was sent. */
function textAs(key: number, text: string | null): string | null {
  return text === null || key === EVENT_ID ? text : storableText(text)
}

function stringIn(value: JsonObject | null): string | null {
  const text = value && memberValue(value, 'stringValue')
  return typeof text === 'string' ? text : null
}

function severityOf(parent: JsonObject): number {
  const name = memberValue(parent, 'severityNumber')
  const number = typeof name === 'string' ? SEVERITY_NAMES.indexOf(name) : -1
  return number >= 0 ? number : int32Of(parent, 'severityNumber', INT32_MIN, INT32_MAX)
}

function uint32(parent: JsonObject, key: string): number {
  return int32Of(parent, key, 0, UINT32_MAX)
}

/** Null for an id that is not valid, which OpenTelemetry treats as absent. */
function hexId(parent: JsonObject, key: string, digits: number): string | null {
  const text = hexOf(textOf(parent, key), digits)
  if (text.length === 0) return null
  if (!HEX.test(text)) throw wrongType(key, `${digits} hexadecimal digits`)
  return text.length === digits && !ZEROS.test(text) ? text.toLowerCase() : null
}

/** The hex of base64, in which protobuf's own libraries print an id: padded, which hex never is. */
function hexOf(text: string, digits: number): string {
  const isBase64 = text.length === 4 * Math.ceil(digits / 6) && BASE64_ID.test(text)
  return isBase64 ? Buffer.from(text, 'base64').toString('hex') : text
}
