import { encodeJsonString, isJsonObject, MAX_JSON_DEPTH, TOO_DEEP } from '@agentic-hooks/events'
import { UndecodableError } from './decoded-request.ts'

/** An object of OTLP JSON as JSON.parse made it; its members are checked when they are read. */
export type JsonObject = Record<string, unknown>

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const BASE64 = /^[\w+/-]*={0,2}$/
const NOT_FINITE = new Set(['NaN', 'Infinity', '-Infinity'])

/** Calls `use` for each object of a list; whatever is wrong inside is reported with its place in the list. */
export function eachOf(parent: JsonObject, key: string, use: (item: JsonObject) => void): void {
  const list = parent[key] ?? []
  if (!Array.isArray(list)) throw wrongType(key, 'an array')
  for (const [index, item] of list.entries()) {
    try {
      if (!isJsonObject(item)) throw wrongType('', 'an object')
      use(item)
    } catch (error) {
      throw inside(`${key}[${index}]`, error)
    }
  }
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

/** A 32 or 64-bit integer, which JSON has as a number or, with every digit, as a string; null when absent. */
export function integerOf(parent: JsonObject, key: string, least: bigint, most: bigint): bigint | null {
  const value = parent[key] ?? null
  if (value === null) return null
  const digits = digitsOf(value)
  const integer = digits === null ? null : BigInt(digits)
  if (integer !== null && integer >= least && integer <= most) return integer
  throw wrongType(key, `an integer from ${least} to ${most}`)
}

function digitsOf(value: unknown): string | null {
  if (typeof value === 'number') return Number.isInteger(value) ? String(BigInt(value)) : null
  const text = isRaw(value) ? value.rawJSON : value
  return typeof text === 'string' && /^-?\d+$/.test(text) ? text : null
}

/** An integer that parseJson kept as it was written. */
function isRaw(value: unknown): value is { rawJSON: string } {
  return typeof value === 'object' && value !== null && !isJsonObject(value) && 'rawJSON' in value
}

/** `"key":value` of a KeyValue. */
export function memberJson(keyValue: JsonObject, depth: number): string {
  return `${encodeJsonString(textOf(keyValue, 'key'))}:${anyValueJson(objectOf(keyValue, 'value'), depth)}`
}

/** The AnyValue as it is stored; `depth` objects and arrays are around it. */
export function anyValueJson(value: JsonObject | null, depth: number): string {
  try {
    return value === null ? 'null' : memberOfOneof(value, depth)
  } catch (error) {
    throw inside('value', error)
  }
}

function memberOfOneof(value: JsonObject, depth: number): string {
  if ((value.stringValue ?? null) !== null) return encodeJsonString(textOf(value, 'stringValue'))
  if ((value.kvlistValue ?? null) !== null) return mapJson(value, depth)
  if ((value.arrayValue ?? null) !== null) return arrayJson(value, depth)
  if ((value.intValue ?? null) !== null) return String(integerOf(value, 'intValue', INT64_MIN, INT64_MAX))
  if ((value.doubleValue ?? null) !== null) return doubleJson(value.doubleValue)
  if ((value.bytesValue ?? null) !== null) return bytesJson(textOf(value, 'bytesValue'))
  const { boolValue = null } = value
  if (boolValue === null || typeof boolValue === 'boolean') return String(boolValue)
  throw wrongType('boolValue', 'true or false')
}

function mapJson(value: JsonObject, depth: number): string {
  if (depth >= MAX_JSON_DEPTH) return encodeJsonString(TOO_DEEP)
  const members: string[] = []
  eachOf(objectOf(value, 'kvlistValue')!, 'values', (entry) => members.push(memberJson(entry, depth + 1)))
  return `{${members.join(',')}}`
}

function arrayJson(value: JsonObject, depth: number): string {
  if (depth >= MAX_JSON_DEPTH) return encodeJsonString(TOO_DEEP)
  const items: string[] = []
  eachOf(objectOf(value, 'arrayValue')!, 'values', (item) => items.push(anyValueJson(item, depth + 1)))
  return `[${items.join(',')}]`
}

function doubleJson(value: unknown): string {
  if (typeof value === 'string' && NOT_FINITE.has(value)) return `"${value}"`
  const number = Number(isRaw(value) ? value.rawJSON : value)
  const isNumber =
    typeof value === 'number' || isRaw(value) || (typeof value === 'string' && value.trim() !== '')
  if (isNumber && Number.isFinite(number)) return String(number)
  throw wrongType('doubleValue', 'a number, "NaN", "Infinity" or "-Infinity"')
}

function bytesJson(base64: string): string {
  if (!BASE64.test(base64)) throw wrongType('bytesValue', 'base64 text')
  return `"${Buffer.from(base64, 'base64').toString('base64')}"`
}

function wrongType(key: string, expected: string): UndecodableError {
  return new UndecodableError(key ? `${key} must be ${expected}` : `must be ${expected}`)
}

function inside(place: string, error: unknown): unknown {
  if (!(error instanceof UndecodableError)) return error
  const separator = error.message.startsWith('must be ') ? ' ' : '.'
  return new UndecodableError(`${place}${separator}${error.message}`)
}
