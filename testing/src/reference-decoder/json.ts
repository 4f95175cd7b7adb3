import { parseJson } from '@agentic-hooks/events'
import type { AnyValue, KeyValue, LogRecord, LogsRequest, Part } from './protobuf.ts'

/*
 * OTLP JSON as the reference's objects: the JSON mapping of the OTLP specification, written down once more. What
 * is of a wrong type makes it throw TypeError.
 */

type Json = Readonly<Record<string, unknown>>

/** @throws SyntaxError, TypeError */
export function readJson(body: Buffer): LogsRequest {
  const request = object(parseJson(body.toString()))
  return {
    resourceLogs: list(request.resourceLogs, (resourceLogs) => ({
      resource: part(resourceLogs.resource),
      schemaUrl: text(resourceLogs.schemaUrl),
      scopeLogs: list(resourceLogs.scopeLogs, (scopeLogs) => ({
        scope: part(scopeLogs.scope),
        schemaUrl: text(scopeLogs.schemaUrl),
        logRecords: list(scopeLogs.logRecords, logRecord),
      })),
    })),
  }
}

function logRecord(record: Json): LogRecord {
  return {
    timeUnixNano: digits(record.timeUnixNano),
    observedTimeUnixNano: digits(record.observedTimeUnixNano),
    severityNumber: Number(digits(record.severityNumber)),
    severityText: text(record.severityText),
    eventName: text(record.eventName),
    body: anyValue(record.body),
    attributes: list(record.attributes, keyValue),
    droppedAttributesCount: Number(digits(record.droppedAttributesCount)),
    flags: Number(digits(record.flags)),
    traceId: hexBytes(record.traceId),
    spanId: hexBytes(record.spanId),
  }
}

function part(value: unknown): Part {
  const { name, version, attributes, droppedAttributesCount } = object(value ?? {})
  return {
    name: text(name),
    version: text(version),
    attributes: list(attributes, keyValue),
    droppedAttributesCount: Number(digits(droppedAttributesCount)),
  }
}

function keyValue({ key, value }: Json): KeyValue {
  return { key: text(key), value: anyValue(value) }
}

function anyValue(value: unknown): AnyValue {
  const member = Object.entries(object(value ?? {})).find(([key, given]) => given !== null && key in MEMBERS)
  return member ? { [member[0]]: MEMBERS[member[0]]!(member[1]) } : {}
}

const MEMBERS: Readonly<Record<string, (value: unknown) => unknown>> = {
  stringValue: text,
  boolValue: Boolean,
  intValue: digits,
  doubleValue: (value) => Number(isRaw(value) ? value.rawJSON : value),
  arrayValue: (value) => ({ values: list(object(value).values, anyValue) }),
  kvlistValue: (value) => ({ values: list(object(value).values, keyValue) }),
  bytesValue: (value) => Buffer.from(text(value), 'base64'),
}

function object(value: unknown): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !isRaw(value))
    return value as Json
  throw new TypeError(`${JSON.stringify(value)} is no object`)
}

function list<T>(value: unknown, read: (item: Json) => T): T[] {
  if (!Array.isArray(value ?? [])) throw new TypeError(`${JSON.stringify(value)} is no array`)
  return ((value ?? []) as unknown[]).map((item) => read(object(item)))
}

function text(value: unknown): string {
  if (typeof (value ?? '') === 'string') return (value ?? '') as string
  throw new TypeError(`${JSON.stringify(value)} is no string`)
}

/** Every digit of an integer, given as a number or a string. */
function digits(value: unknown): string {
  return String(BigInt(isRaw(value) ? value.rawJSON : ((value ?? 0) as number | string)))
}

function hexBytes(value: unknown): Uint8Array {
  const hex = text(value)
  return hex.length % 2 ? new Uint8Array() : Buffer.from(hex, 'hex')
}

/** An integer that parseJson kept as it was written. */
function isRaw(value: unknown): value is { rawJSON: string } {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null && 'rawJSON' in value
  )
}
