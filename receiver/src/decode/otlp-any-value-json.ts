import { encodeJsonString, isJsonObject, MAX_JSON_DEPTH, type Micros, TOO_DEEP } from '@agentic-hooks/events'
import { RequestTooLargeError, UndecodableError } from './decoded-request.ts'

/** An object of OTLP JSON as JSON.parse made it; its members are checked when they are read. */
export type JsonObject = Record<string, unknown>

const UINT64_MAX = 2n ** 64n - 1n
const INTEGER = /^-?\d+$/
const DECIMAL = /^-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?$/
const BASE64 = /^[\w+/-]*={0,2}$/
const NOT_FINITE: ReadonlySet<unknown> = new Set(['NaN', 'Infinity', '-Infinity'])
const TOO_DEEP_JSON = encodeJsonString(TOO_DEEP)
/** Of a name that nobody knows, as much as tells its sender which one is meant. */
const MAX_QUOTED_LENGTH = 64
const NOTHING: readonly unknown[] = []

/** Members of the AnyValue oneof, by both of their names. */
const VALUE_MEMBERS: ReadonlyMap<string, string> = new Map(
  ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'arrayValue', 'kvlistValue', 'bytesValue'].flatMap(
    (name) => [
      [name, name],
      [snakeCase(name), name],
    ],
  ),
)

/**
 * Other names of a member, in the order in which they count: the one in the .proto file, which every reader of ProtoJSON
 * must accept, and those of OTLP before 1.0.
 */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  resourceLogs: ['resource_logs'],
  scopeLogs: ['scope_logs', 'instrumentationLibraryLogs', 'instrumentation_library_logs'],
  scope: ['instrumentationLibrary', 'instrumentation_library'],
  logRecords: ['log_records', 'logs'],
  ...Object.fromEntries(
    [
      'schemaUrl',
      'timeUnixNano',
      'observedTimeUnixNano',
      'severityNumber',
      'severityText',
      'eventName',
      'droppedAttributesCount',
      'traceId',
      'spanId',
      ...VALUE_MEMBERS.values(),
    ].map((name) => [name, [snakeCase(name)]]),
  ),
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The member by whichever of its names it has; null when it is absent. */
export function memberValue(parent: JsonObject, key: string): unknown {
  const value = parent[key] ?? null
  if (value !== null) return value
  const others = OTHER_NAMES[key] ?? NOTHING
  for (const other of others as readonly string[]) {
    const value = parent[other] ?? null
    if (value !== null) return value
  }
  return null
}

/** The lists that lead to the records, and what else lies beside them. */
const ENVELOPES = [
  ['resourceLogs'],
  ['scopeLogs', 'resource', 'schemaUrl'],
  ['logRecords', 'scope', 'schemaUrl'],
] as const

/** As in `"log_batches"`, a member on the way to the log records that is none of OTLP; null when all are. */
export function unknownMember(request: JsonObject): string | null {
  let objects = [request]
  for (const members of ENVELOPES) {
    const known = new Set(members.flatMap((name) => [name, ...(OTHER_NAMES[name] ?? [])]))
    const inner: JsonObject[] = []
    for (const object of objects) {
      for (const key in object) if (!known.has(key)) return JSON.stringify(key.slice(0, MAX_QUOTED_LENGTH))
      eachOf(object, members[0], (item) => inner.push(item))
    }
    objects = inner
  }
  return null
}

/**
 * Calls `use` for each object of a list; whatever is wrong inside is reported with its place in the list.
 * @param onWrong takes what is wrong with one item, after which the others follow; without it, that is thrown
 */
export function eachOf(
  parent: JsonObject,
  key: string,
  use: (item: JsonObject, index: number) => void,
  onWrong?: (error: UndecodableError) => void,
): void {
  const list = listOf(parent, key)
  for (let index = 0; index < list.length; index++) {
    try {
      use(itemOf(list, index), index)
    } catch (error) {
      const named = inside(`${key}[${index}]`, error)
      if (!onWrong || !(named instanceof UndecodableError) || named instanceof RequestTooLargeError)
        throw named
      onWrong(named)
    }
  }
}

function listOf(parent: JsonObject, key: string): readonly unknown[] {
  const list = memberValue(parent, key) ?? NOTHING
  if (Array.isArray(list)) return list
  throw wrongType(key, 'an array')
}

function itemOf(list: readonly unknown[], index: number): JsonObject {
  const item = list[index]
  if (isJsonObject(item)) return item
  throw wrongType('', 'an object')
}

/** The member when it is an object; null when it is absent. */
export function objectOf(parent: JsonObject, key: string): JsonObject | null {
  const value = memberValue(parent, key)
  if (value === null || isJsonObject(value)) return value
  throw wrongType(key, 'an object')
}

/** The member when it is a string; empty when it is absent. */
export function textOf(parent: JsonObject, key: string): string {
  const value = memberValue(parent, key) ?? ''
  if (typeof value === 'string') return value
  throw wrongType(key, 'a string')
}

/** A 32-bit integer, which JSON has as a number or a string; 0 when it is absent. */
export function int32Of(parent: JsonObject, key: string, least: number, most: number): number {
  const integer = Number(digitsOf(memberValue(parent, key) ?? 0) ?? Number.NaN)
  if (integer >= least && integer <= most) return integer
  throw wrongType(key, `an integer from ${least} to ${most}`)
}

/** Nanoseconds, truncated to microseconds: exact as far as a number is; 0 when absent. */
export function nanosAsMicrosOf(parent: JsonObject, key: string): Micros {
  const digits = digitsOf(memberValue(parent, key) ?? 0)
  // Times until 2286 have at most 19 digits.
  if (digits !== null && digits.length <= 19 && !digits.startsWith('-')) return Number(digits.slice(0, -3))
  const nanos = BigInt(digits ?? -1)
  if (nanos >= 0n && nanos <= UINT64_MAX) return Number(nanos / 1000n)
  throw wrongType(key, `an integer from 0 to ${UINT64_MAX}`)
}

/** The digits of an integer, which JSON has as a number, as a number kept as it was written, or as a string. */
function digitsOf(value: unknown): string | null {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return String(value)
    return Number.isInteger(value) ? String(BigInt(value)) : null
  }
  const text = isRaw(value) ? value.rawJSON : value
  return typeof text === 'string' && INTEGER.test(text) ? significantDigits(text) : null
}

/** Of a double, no integer has more digits. BigInt takes seconds for the millions that a text may have. */
const MAX_DIGITS = 309

/** Without zeros in front; null when no number of any kind has so many digits. */
function significantDigits(text: string): string | null {
  if (text.length <= MAX_DIGITS) return text
  const sign = text.startsWith('-') ? '-' : ''
  const digits = text.slice(sign.length).replace(/^0+(?=\d)/, '')
  return digits.length <= MAX_DIGITS ? sign + digits : null
}

/** An integer that parseJson kept as it was written. */
function isRaw(value: unknown): value is { rawJSON: string } {
  return typeof value === 'object' && value !== null && !isJsonObject(value) && 'rawJSON' in value
}

/** `"key":value` of a KeyValue whose object lies in `depth - 1` others. */
export function memberJson(keyValue: JsonObject, depth: number): string {
  return `${encodeJsonString(textOf(keyValue, 'key'))}:${valueJson(keyValue, 'value', depth)}`
}

/** The AnyValue that is a member, as it is stored; `null` when it has no value. */
export function valueJson(parent: JsonObject, key: string, depth: number): string {
  const value = objectOf(parent, key)
  try {
    return value === null ? 'null' : anyValueJson(value, depth)
  } catch (error) {
    throw inside(key, error)
  }
}

/** The member of an AnyValue's oneof that is set, by its lowerCamelCase name; null when none is. */
export function memberOf(value: JsonObject): string | null {
  let member: string | null = null
  for (const key in value) {
    const known = VALUE_MEMBERS.get(key)
    if (known === undefined || value[key] === null) continue
    if (member !== null) throw new UndecodableError(`must have one value, not ${member} and ${known}`)
    member = known
  }
  return member
}

function anyValueJson(value: JsonObject, depth: number): string {
  switch (memberOf(value)) {
    case 'stringValue':
      return encodeJsonString(textOf(value, 'stringValue'))
    case 'boolValue':
      return boolJson(memberValue(value, 'boolValue'))
    case 'intValue':
      return int64Json(memberValue(value, 'intValue'))
    case 'doubleValue':
      return doubleJson(memberValue(value, 'doubleValue'))
    case 'arrayValue':
      return arrayJson(value, depth)
    case 'kvlistValue':
      return mapJson(value, depth)
    case 'bytesValue':
      return bytesJson(memberValue(value, 'bytesValue'))
    default:
      return 'null'
  }
}

function arrayJson(value: JsonObject, depth: number): string {
  if (depth >= MAX_JSON_DEPTH) return TOO_DEEP_JSON
  const list = listOf(objectOf(value, 'arrayValue')!, 'values')
  let json = ''
  let index = 0
  try {
    for (; index < list.length; index++) {
      json += `${json && ','}${anyValueJson(itemOf(list, index), depth + 1)}`
    }
  } catch (error) {
    throw inside(`arrayValue.values[${index}]`, error)
  }
  return `[${json}]`
}

function mapJson(value: JsonObject, depth: number): string {
  if (depth >= MAX_JSON_DEPTH) return TOO_DEEP_JSON
  const list = listOf(objectOf(value, 'kvlistValue')!, 'values')
  let json = ''
  let index = 0
  try {
    for (; index < list.length; index++) {
      const entry = itemOf(list, index)
      const key = encodeJsonString(textOf(entry, 'key'))
      json += `${json && ','}${key}:${valueJson(entry, 'value', depth + 1)}`
    }
  } catch (error) {
    throw inside(`kvlistValue.values[${index}]`, error)
  }
  return `{${json}}`
}

function boolJson(value: unknown): string {
  if (typeof value === 'boolean') return String(value)
  throw wrongType('boolValue', 'true or false')
}

/** Also of an integer beyond 64 bits, which JavaScript's SDK sends for any whole number: JSON holds it. */
function int64Json(value: unknown): string {
  if (Number.isSafeInteger(value)) return String(value)
  const digits = digitsOf(value)
  if (digits !== null) return String(BigInt(digits))
  throw wrongType('intValue', 'an integer')
}

function doubleJson(value: unknown): string {
  if (NOT_FINITE.has(value)) return `"${value}"`
  const isNumber = typeof value === 'number' || (typeof value === 'string' && DECIMAL.test(value))
  const number = isRaw(value) ? Number(value.rawJSON) : isNumber ? Number(value) : Number.NaN
  if (Number.isFinite(number)) return String(number)
  throw wrongType('doubleValue', 'a number, "NaN", "Infinity" or "-Infinity"')
}

/** Base64, or a Buffer as JSON.stringify writes it, which JavaScript's SDK sent before 0.212. */
function bytesJson(value: unknown): string {
  if (typeof value === 'string' && BASE64.test(value)) {
    return `"${Buffer.from(value, 'base64').toString('base64')}"`
  }
  if (isJsonObject(value) && value.type === 'Buffer' && isByteArray(value.data)) {
    return `"${Buffer.from(value.data).toString('base64')}"`
  }
  throw wrongType('bytesValue', 'base64 text')
}

function isByteArray(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)
}

export function wrongType(key: string, expected: string): UndecodableError {
  return new UndecodableError(key ? `${key} must be ${expected}` : `must be ${expected}`)
}

/** The same error with the place where it was found before what it says. */
export function inside(place: string, error: unknown): unknown {
  if (!(error instanceof UndecodableError) || error instanceof RequestTooLargeError) return error
  const separator = error.message.startsWith('must ') ? ' ' : '.'
  return new UndecodableError(`${place}${separator}${error.message}`)
}
