import type { EventData } from '../event.ts'
import { JsonParser } from './json-parser.ts'

/** Deepest nesting of a payload that is stored; what lies deeper is replaced by {@link TOO_DEEP}. */
export const MAX_JSON_DEPTH = 1024

/** Stands in a stored payload where something nested deeper than {@link MAX_JSON_DEPTH} was. */
export const TOO_DEEP = '[nested too deep]'

/**
 * The same text with U+FFFD in place of each character that not every store can hold: NUL, which PostgreSQL refuses,
 * and surrogates without their pair.
 */
export function storableText(text: string): string {
  if (!text.includes('\0') && text.isWellFormed()) return text
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
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
  if (value instanceof JsonPayload) return value.text()
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

/**
 * JSON as it is stored, made by whoever read the text that it came in. Its bytes may be filled in later, all at once;
 * the text is there at once.
 */
export class JsonPayload {
  readonly bytes: Uint8Array
  readonly text: () => string

  constructor(bytes: Uint8Array, text: () => string) {
    this.bytes = bytes
    this.text = text
  }
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
  if (value instanceof JsonPayload) return value.text().startsWith('[') ? 'an array' : 'an object'
  if (typeof value === 'object') return isRawJson(value) ? 'a number' : 'an object'
  return `a ${typeof value}`
}

/**
 * What JSON.parse alone would read otherwise, outside a string (or, harmlessly but seldom, inside one): an integer of 16
 * digits or more, a number with an exponent of three, a literal that is not finite.
 */
const UNUSUAL_VALUE =
  /(?:^|[-:,[\s])\d{16}|(?:^|[:,[\s])-?\d[\d.]*[eE]\+?\d{3}|(?:^|[:,[\s])-?(?:NaN|Infinity)/

/**
 * JSON.parse that keeps integers beyond 2^53 as they were written ({@link encodeJson} writes them back), reads numbers
 * beyond the range of a double as `"Infinity"`, and the literals `NaN`, `Infinity` and `-Infinity`, which Python writes,
 * as strings. Every key is the one that was written.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const isUnusual = UNUSUAL_VALUE.test(text) || hasEscapedKey(text)
  return isUnusual ? new JsonParser(text, parseNumber).parse() : JSON.parse(text)
}

/**
 * JSON.parse that gets every key right, numbers as doubles.
 * @throws SyntaxError
 */
export function parsePlainJson(text: string): unknown {
  return hasEscapedKey(text) ? new JsonParser(text, Number).parse() : JSON.parse(text)
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = /[ \t\n\r]*:/y

/**
 * Whether a key has a backslash. V8 (13.6, Node 24) can take such a key for one that it met before in an object of the
 * same shape, `k"` for `k\` for instance: it compares the text before it is unescaped.
 */
function hasEscapedKey(text: string): boolean {
  for (let backslash = text.indexOf('\\'); backslash >= 0; ) {
    let end = backslash
    for (; end < text.length && text.charCodeAt(end) !== QUOTE; end++)
      if (text.charCodeAt(end) === BACKSLASH) end++
    COLON.lastIndex = end + 1
    if (COLON.test(text)) return true
    backslash = text.indexOf('\\', end + 1)
  }
  return false
}

/** A number of JSON: an integer beyond 2^53 as it was written, one beyond the range of a double as `"Infinity"`. */
export function parseNumber(source: string): unknown {
  const number = Number(source)
  if (!Number.isFinite(number)) return String(number)
  return Number.isSafeInteger(number) || !INTEGER.test(source) ? number : rawJson(source)
}

const INTEGER = /^-?\d+$/

// ECMAScript 2026 (JSON.parse source text access); in every Node that we support, not yet in TypeScript's lib.
const { rawJSON: rawJson, isRawJSON: isRawJson } = JSON as unknown as {
  rawJSON(text: string): { readonly rawJSON: string }
  isRawJSON(value: unknown): value is { readonly rawJSON: string }
}
