import { isJsonObject, type Micros, parseJson, storableText } from '@agentic-hooks/events'
import {
  DEFAULT_LIMITS,
  type DecodedRequest,
  type DecodeLimits,
  UndecodableError,
} from './decoded-request.ts'
import { EventAssembler } from './event-assembler.ts'
import { JsonWriter } from './json-writer.ts'
import { EVENT_ID, KNOWN_ATTRIBUTES, type LogRecordSource, MIRRORED_KEYS } from './log-record.ts'
import { MAX_NAME_BYTES } from './names.ts'
import { type OriginFields, originMembers, writeResource, writeScope } from './origin.ts'
import {
  anyValueJson,
  eachOf,
  integerOf,
  type JsonObject,
  memberJson,
  objectOf,
  textOf,
} from './otlp-any-value-json.ts'

const UINT32_MAX = 2n ** 32n - 1n
const INT32_MIN = -(2n ** 31n)
const INT32_MAX = 2n ** 31n - 1n
const UINT64_MAX = 2n ** 64n - 1n

const KNOWN_ATTRIBUTE_INDEX = new Map(KNOWN_ATTRIBUTES.map((name, index) => [name, index]))

/**
 * The events of an ExportLogsServiceRequest in OTLP JSON: lowerCamelCase names, ids in hex, integers as numbers
 * or strings, enums as integers, bytes in base64; unknown members are ignored, and null means absent.
 * @throws UndecodableError that names the place, as in `resourceLogs[0].scopeLogs[1].logRecords[3].traceId`
 */
export function decodeOtlpJson(
  body: Uint8Array,
  receivedAtMicros: Micros,
  limits: DecodeLimits = DEFAULT_LIMITS,
): DecodedRequest {
  return new RequestReader(body, receivedAtMicros, limits).read(parse(body))
}

function parse(body: Uint8Array): JsonObject {
  let request: unknown
  try {
    request = parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
  } catch (error) {
    throw new UndecodableError(`the body is not JSON: ${(error as Error).message}`)
  }
  if (isJsonObject(request)) return request
  throw new UndecodableError('the body must be a JSON object, an ExportLogsServiceRequest')
}

/** Of the record that is being read, an attribute is known by its place among the record's attributes. */
class RequestReader implements LogRecordSource {
  readonly #json: JsonWriter
  readonly #assembler: EventAssembler
  #attributes: JsonObject[] = []
  #body: JsonObject | null = null
  /** The strings under mirrored keys of the map that `writeData` wrote last. */
  #mirrored: (string | null)[] = []

  constructor(body: Uint8Array, receivedAtMicros: Micros, limits: DecodeLimits) {
    this.#json = new JsonWriter(body.byteLength)
    this.#assembler = new EventAssembler(this, this.#json, { body, receivedAtMicros, ...limits })
  }

  read(request: JsonObject): DecodedRequest {
    eachOf(request, 'resourceLogs', (resourceLogs) => this.#readResourceLogs(resourceLogs))
    return this.#assembler.result()
  }

  #readResourceLogs(resourceLogs: JsonObject): void {
    const part = objectOf(resourceLogs, 'resource') ?? {}
    const fields = originFields(part, resourceLogs)
    const resource = writeResource(this.#json, () => this.#writeAttributes(part))
    eachOf(resourceLogs, 'scopeLogs', (scopeLogs) => this.#readScopeLogs(scopeLogs, resource, fields))
  }

  #readScopeLogs(scopeLogs: JsonObject, resource: Uint8Array | null, resourceFields: OriginFields): void {
    const part = objectOf(scopeLogs, 'scope') ?? {}
    const fields = originFields(part, scopeLogs)
    const scope = writeScope(this.#json, fields, () => this.#writeAttributes(part))
    this.#assembler.origin = resource || scope ? { resource, scope } : null
    this.#assembler.originMembers = originMembers(resourceFields, fields)
    eachOf(scopeLogs, 'logRecords', (logRecord) => this.#readLogRecord(logRecord))
  }

  #writeAttributes(part: JsonObject): void {
    eachOf(part, 'attributes', (attribute) => this.#write(memberJson(attribute, 1)))
  }

  #readLogRecord(source: JsonObject): void {
    const { record } = this.#assembler
    record.timeMicros = micros(source, 'timeUnixNano')
    record.observedMicros = micros(source, 'observedTimeUnixNano')
    record.severityNumber = Number(integerOf(source, 'severityNumber', INT32_MIN, INT32_MAX) ?? 0)
    record.severityText = textOf(source, 'severityText')
    record.eventName = storableText(textOf(source, 'eventName'))
    record.droppedAttributesCount = uint32(source, 'droppedAttributesCount')
    record.flags = uint32(source, 'flags')
    record.traceId = hexId(source, 'traceId', 32)
    record.spanId = hexId(source, 'spanId', 16)
    this.#body = objectOf(source, 'body')
    this.#attributes = []
    eachOf(source, 'attributes', (attribute) => {
      const key = KNOWN_ATTRIBUTE_INDEX.get(textOf(attribute, 'key')) ?? -1
      const isText = record.addAttribute(key, this.#attributes.push(attribute) - 1)
      if (isText) record.texts[key] = textAs(key, stringIn(objectOf(attribute, 'value')))
    })
    this.#assembler.add()
  }

  isMirrored(attribute: number, mirroredKey: number): boolean {
    const text = stringIn(objectOf(this.#attributes[attribute]!, 'value'))
    return text !== null && text === this.#mirrored[mirroredKey]
  }

  writeMember(attribute: number): void {
    this.#write(memberJson(this.#attributes[attribute]!, 1))
  }

  writeData(attribute: number): boolean {
    const value = objectOf(this.#attributes[attribute]!, 'value')
    const map = value && !stringIn(value) && objectOf(value, 'kvlistValue')
    if (!map) return false
    this.#mirrored = MIRRORED_KEYS.map(() => null)
    eachOf(map, 'values', (entry) => {
      const key = MIRRORED_KEYS.indexOf(textOf(entry, 'key'))
      if (key >= 0) this.#mirrored[key] = stringIn(objectOf(entry, 'value'))
    })
    this.#json.raw(anyValueJson(value, 0))
    return true
  }

  bodyText(): string | null {
    const text = stringIn(this.#body)
    return text === null || Buffer.byteLength(text) > MAX_NAME_BYTES ? null : storableText(text)
  }

  writeBody(): boolean {
    if (this.#body === null) return false
    const json = anyValueJson(this.#body, 1)
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
  return typeof value?.stringValue === 'string' ? value.stringValue : null
}

function uint32(parent: JsonObject, key: string): number {
  return Number(integerOf(parent, key, 0n, UINT32_MAX) ?? 0)
}

function micros(parent: JsonObject, key: string): Micros {
  return Number((integerOf(parent, key, 0n, UINT64_MAX) ?? 0n) / 1000n)
}

/** Null for an id that is not valid, which OpenTelemetry treats as absent. */
function hexId(parent: JsonObject, key: string, digits: number): string | null {
  const text = textOf(parent, key)
  const isValid = text.length === digits && /^[0-9a-f]+$/i.test(text) && !/^0+$/.test(text)
  return isValid ? text.toLowerCase() : null
}
