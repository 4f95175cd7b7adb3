import { encodeJsonString, isJsonObject, MAX_JSON_DEPTH, type Micros, TOO_DEEP } from '@agentic-hooks/events'
import { RequestTooLargeError, UndecodableError } from './decoded-request.ts'

/** An object of OTLP JSON as JSON.parse made it; its members are checked when they are read. */
export type JsonObject = Record<string, unknown>

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const UINT64_MAX = 2n ** 64n - 1n
const INTEGER = /^-?\d+$/
const DECIMAL = /^-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?$/
const BASE64 = /^[\w+/-]*={0,2}$/
const NOT_FINITE: ReadonlySet<unknown> = new Set(['NaN', 'Infinity', '-Infinity'])
const TOO_DEEP_JSON = encodeJsonString(TOO_DEEP)
const NOTHING: readonly unknown[] = []

/** Members of the AnyValue oneof. */
const VALUE_MEMBERS: ReadonlySet<string> = new Set([
  'stringValue',
  'boolValue',
  'intValue',
  'doubleValue',
  'arrayValue',
  'kvlistValue',
  'bytesValue',
])

/** Calls `use` for each object of a list; whatever is wrong inside is reported with its place in the list. */
export function eachOf(parent: JsonObject, key: string, use: (item: JsonObject) => void): void {
  const list = listOf(parent, key)
  let index = 0
  try {
    for (; index < list.length; index++) use(itemOf(list, index))
  } catch (error) {
    throw inside(`${key}[${index}]`, error)
  }
}

function listOf(parent: JsonObject, key: string): readonly unknown[] {
  const list = parent[key] ?? NOTHING
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
  const value = parent[key] ?? null
  if (value === null || isJsonObject(value)) return value
  throw wrongType(key, 'an object')
}

/** The member when it is a string; empty when it is absent. */
export function textOf(parent: JsonObject, key: string): string {
  const value = parent[key] ?? ''
  if (typeof value === 'string') return value
  throw wrongType(key, 'a string')
}

/** A 32-bit integer, which JSON has as a number or a string; 0 when it is absent. */
export function int32Of(parent: JsonObject, key: string, least: number, most: number): number {
  const integer = Number(digitsOf(parent[key] ?? 0) ?? Number.NaN)
  if (integer >= least && integer <= most) return integer
  throw wrongType(key, `an integer from ${least} to ${most}`)
}

/** Nanoseconds, truncated to microseconds: exact as far as a number is; 0 when absent. */
export function nanosAsMicrosOf(parent: JsonObject, key: string): Micros {
  const digits = digitsOf(parent[key] ?? 0)
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

/** The member of an AnyValue's oneof that is set; null when none is. */
export function memberOf(value: JsonObject): string | null {
  let member: string | null = null
  for (const key in value) {
    if (value[key] === null || !VALUE_MEMBERS.has(key)) continue
    if (member !== null) throw new UndecodableError(`must have one value, not ${member} and ${key}`)
    member = key
  }
  return member
}

function anyValueJson(value: JsonObject, depth: number): string {
  switch (memberOf(value)) {
    case 'stringValue':
      return encodeJsonString(textOf(value, 'stringValue'))
    case 'boolValue':
      return boolJson(value.boolValue)
    case 'intValue':
      return int64Json(value.intValue)
    case 'doubleValue':
      return doubleJson(value.doubleValue)
    case 'arrayValue':
      return arrayJson(value, depth)
    case 'kvlistValue':
      return mapJson(value, depth)
    case 'bytesValue':
      return bytesJson(textOf(value, 'bytesValue'))
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

function int64Json(value: unknown): string {
  if (Number.isSafeInteger(value)) return String(value)
  const digits = digitsOf(value)
  const integer = digits === null ? null : BigInt(digits)
  if (integer !== null && integer >= INT64_MIN && integer <= INT64_MAX) return String(integer)
  throw wrongType('intValue', `an integer from ${INT64_MIN} to ${INT64_MAX}`)
}

function doubleJson(value: unknown): string {
  if (NOT_FINITE.has(value)) return `"${value}"`
  const isNumber = typeof value === 'number' || (typeof value === 'string' && DECIMAL.test(value))
  const number = isRaw(value) ? Number(value.rawJSON) : isNumber ? Number(value) : Number.NaN
  if (Number.isFinite(number)) return String(number)
  throw wrongType('doubleValue', 'a number, "NaN", "Infinity" or "-Infinity"')
}

function bytesJson(base64: string): string {
  if (!BASE64.test(base64)) throw wrongType('bytesValue', 'base64 text')
  return `"${Buffer.from(base64, 'base64').toString('base64')}"`
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
