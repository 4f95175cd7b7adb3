import type { EventData } from '../event.ts'
import { withEscapedKeys } from './escaped-keys.ts'

/** Deepest nesting of a payload that is stored; what lies deeper is replaced by {@link TOO_DEEP}. */
export const MAX_JSON_DEPTH = 1024

/** Stands in a stored payload where something nested deeper than {@link MAX_JSON_DEPTH} was. */
export const TOO_DEEP = '[nested too deep]'

/** What text cannot hold in every store: NUL, which PostgreSQL refuses, and surrogates without their pair. */
const UNSTORABLE = /\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/

/** The same text with U+FFFD in place of each character that cannot be stored. */
export function storableText(text: string): string {
  return UNSTORABLE.test(text) ? text.toWellFormed().replaceAll('\0', '\uFFFD') : text
}

/** Text that is its own JSON between quotes: most names are, and testing is cheaper than JSON.stringify. */
const PLAIN_ASCII = /^[ !#-[\]-~]*$/

/** The JSON of a string as every exporter stores it. */
export function encodeJsonString(text: string): string {
  return PLAIN_ASCII.test(text) ? `"${text}"` : JSON.stringify(storableText(text))
}

/**
 * The JSON of a value as every exporter stores it (docs/guide/values.md): exact integers, `"NaN"` and `"Infinity"` as
 * strings, bytes as base64, nothing that PostgreSQL's jsonb refuses. The value must be a tree; functions,
 * symbols and undefined are left out as JSON.stringify does.
 */
export function encodeJson(value: unknown, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return encodeJsonString(value)
    case 'number':
      return Number.isFinite(value) ? String(value) : `"${value}"`
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'object':
      return value === null ? 'null' : encodeJsonObject(value, depth)
    default:
      return 'null'
  }
}

function encodeJsonObject(value: object, depth: number): string {
  if (isRawJson(value)) return value.rawJSON
  if (depth >= MAX_JSON_DEPTH) return `"${TOO_DEEP}"`
  if (Array.isArray(value)) return encodeJsonArray(value, depth)
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'null' : JSON.stringify(value)
  let members = ''
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined || typeof member === 'function' || typeof member === 'symbol') continue
    members += `${members && ','}${encodeJsonString(key)}:${encodeJson(member, depth + 1)}`
  }
  return `{${members}}`
}

/** Concatenated, which copies nothing yet: joining would copy the innermost value once for each level around it. */
function encodeJsonArray(values: readonly unknown[], depth: number): string {
  let items = ''
  for (const value of values) items += `${items && ','}${encodeJson(value, depth + 1)}`
  return `[${items}]`
}

/** The bytes of a payload as every exporter stores it. */
export function jsonBytes(value: EventData): Uint8Array {
  return Buffer.from(encodeJson(value))
}

/**
 * The payload in bytes that {@link jsonBytes} made, numbers as doubles.
 * @throws SyntaxError
 */
export function parseJsonBytes(json: Uint8Array): EventData {
  return parsePlainJson(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()) as EventData
}

/** Whether parsed JSON is an object: neither an array nor an integer kept as written. */
export function isJsonObject(value: unknown): value is EventData {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawJson(value)
}

/** What parsed JSON is, for error messages. */
export function describeJson(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return isRawJson(value) ? 'a number' : 'an object'
  return `a ${typeof value}`
}

/**
 * An integer of 16 digits or more, or a number with an exponent of three, outside a string (or, harmlessly but
 * seldom, inside one: a reviver makes parsing six times slower, so the hex digits of ids must not look like one).
 */
const MAY_LOSE_DIGITS = /(?:^|[-:,[\s])\d{16}|(?:^|[:,[\s])-?\d[\d.]*[eE]\+?\d{3}/

/**
 * JSON.parse that keeps integers beyond 2^53 as they were written ({@link encodeJson} writes them back) and
 * reads numbers beyond the range of a double as `"Infinity"`.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  return withEscapedKeys(text, parseWithDigits)
}

/**
 * JSON.parse that gets every key right, numbers as doubles.
 * @throws SyntaxError
 */
export function parsePlainJson(text: string): unknown {
  return withEscapedKeys(text, JSON.parse)
}

function parseWithDigits(text: string): unknown {
  if (!MAY_LOSE_DIGITS.test(text)) return JSON.parse(text)
  try {
    return JSON.parse(text, keepDigits)
  } catch (error) {
    // A reviver overflows the stack some thousand levels deep, far below what is stored; JSON.parse does not.
    if (error instanceof RangeError) return JSON.parse(text)
    throw error
  }
}

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value
  if (!Number.isFinite(value)) return String(value)
  if (Number.isSafeInteger(value) || !/^-?\d+$/.test(context.source)) return value
  return rawJson(context.source)
}

// ECMAScript 2026 (JSON.parse source text access); in every Node that we support, not yet in TypeScript's lib.
const { rawJSON: rawJson, isRawJSON: isRawJson } = JSON as unknown as {
  rawJSON(text: string): { readonly rawJSON: string }
  isRawJSON(value: unknown): value is { readonly rawJSON: string }
}
