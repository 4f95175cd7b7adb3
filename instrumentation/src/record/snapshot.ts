import { type EventData, MAX_JSON_DEPTH, TOO_DEEP } from '@agentic-hooks/events'
import type { AnyValue } from '@opentelemetry/api'
import type { Redactor } from './redact.ts'
import { isMap, setMember } from './values.ts'

/** The key under which an object says how many of its members were cut; an array says so in its last item. */
const TRUNCATED = '[truncated]'

/** Shorter texts count as one byte a character: asking each for its UTF-8 length would cost more than copying it. */
const MEASURED_TEXT_LENGTH = 256
/** Counted for a number, a boolean, null, and the syntax of each member. */
const SCALAR_BYTES = 8
/** How far beyond a cut secrets are looked for, so that the cut leaves no half of one. */
const LONGEST_SECRET_LENGTH = 4096

/** A payload as it was when `emit` was called. */
export interface Snapshot {
  readonly data: Record<string, AnyValue>
  /** About how many it takes. */
  readonly bytes: number
  /** The texts in it that had to be cut, and that hold no secret any more. */
  readonly cutTexts: ReadonlySet<string>
}

export const NO_TEXTS: ReadonlySet<string> = new Set()

/**
 * Copies a payload into values that every serializer takes (docs/guide/values.md), within the limit; what was cut says
 * so. It never throws: whatever cannot be read says why in its place. Secrets stay in it, except in texts that
 * are cut: there the redactor has to see more than is kept.
 */
export function snapshot(data: EventData, maxBytes: number, redactor: Redactor | null): Snapshot {
  const copier = new Copier(maxBytes, redactor)
  const copy = copier.copy(data)
  return {
    data: isMap(copy) ? copy : { value: copy ?? null },
    bytes: copier.bytes,
    cutTexts: copier.cutTexts,
  }
}

class Copier {
  bytes = 0
  cutTexts = NO_TEXTS
  readonly #maxBytes: number
  readonly #redactor: Redactor | null
  /** The objects that the current value lies in. */
  readonly #ancestors: object[] = []

  constructor(maxBytes: number, redactor: Redactor | null) {
    this.#maxBytes = maxBytes
    this.#redactor = redactor
  }

  /** `undefined` for what JSON leaves out. */
  copy(value: unknown): AnyValue | undefined {
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        this.bytes += SCALAR_BYTES
        return Number.isFinite(value) ? value : String(value)
      case 'boolean':
        this.bytes += SCALAR_BYTES
        return value
      case 'bigint':
        this.bytes += SCALAR_BYTES
        return integer(value)
      case 'object':
        this.bytes += SCALAR_BYTES
        return value === null ? null : this.#object(value)
      default:
        return undefined
    }
  }

  #text(text: string): string {
    const room = Math.max(0, this.#maxBytes - this.bytes)
    const size = text.length < MEASURED_TEXT_LENGTH ? text.length : Buffer.byteLength(text)
    this.bytes += Math.min(size, room)
    return size <= room ? text : this.#cut(text, room)
  }

  #cut(text: string, room: number): string {
    const within = text.slice(0, room + LONGEST_SECRET_LENGTH)
    const redacted = this.#redactor ? this.#redactor.text(within) : within
    const size = Buffer.byteLength(redacted)
    const kept = redacted.slice(0, Math.floor((redacted.length * room) / Math.max(size, room)))
    const cut = `${kept.toWellFormed()}[truncated: ${text.length} characters]`
    this.cutTexts = new Set(this.cutTexts).add(cut)
    return cut
  }

  #object(value: object): AnyValue | undefined {
    if (this.#ancestors.includes(value)) return '[circular]'
    if (this.#ancestors.length >= MAX_JSON_DEPTH) return TOO_DEEP
    this.#ancestors.push(value)
    try {
      return this.#convert(value)
    } catch (error) {
      return threw(error)
    } finally {
      this.#ancestors.pop()
    }
  }

  #convert(value: object): AnyValue | undefined {
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return this.#plain(value)
    if (Array.isArray(value)) return this.#items(value, value.length)
    if (ArrayBuffer.isView(value)) return this.#binary(value.buffer, value.byteOffset, value.byteLength)
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
    if (value instanceof Error) return this.#members(value, errorKeys(value))
    if (value instanceof Map) return this.#map(value)
    if (value instanceof Set) return this.#items(value, value.size)
    if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
      return this.#binary(value, 0, value.byteLength)
    if (value instanceof String || value instanceof Number || value instanceof Boolean)
      return this.copy(value.valueOf())
    return this.#plain(value)
  }

  #plain(value: { toJSON?: unknown }): AnyValue | undefined {
    if (typeof value.toJSON === 'function') return this.copy(value.toJSON())
    const copy = shallowCopy(value)
    return copy ? this.#deepen(copy) : this.#members(value, Object.keys(value))
  }

  /** Replaces the members of a shallow copy by copies: most need none, and cloning an object is one step for V8. */
  #deepen(copy: Record<string, unknown>): AnyValue {
    const keys = Object.keys(copy)
    for (let index = 0; index < keys.length; index++) {
      if (this.bytes >= this.#maxBytes) {
        for (const key of keys.slice(index)) delete copy[key]
        copy[TRUNCATED] = `${keys.length - index} more members`
        break
      }
      const key = keys[index]!
      const value = copy[key]
      this.bytes += key.length
      const member = this.copy(value)
      if (member === undefined) delete copy[key]
      else if (member !== value) copy[key] = member
    }
    return copy as Record<string, AnyValue>
  }

  #members(value: object, keys: readonly string[]): AnyValue {
    const copy: Record<string, AnyValue> = {}
    for (let index = 0; index < keys.length; index++) {
      if (this.bytes >= this.#maxBytes) {
        setMember(copy, TRUNCATED, `${keys.length - index} more members`)
        break
      }
      const key = keys[index]!
      this.#member(copy, key, read(value, key))
    }
    return copy
  }

  #map(map: ReadonlyMap<unknown, unknown>): AnyValue {
    const copy: Record<string, AnyValue> = {}
    let left = map.size
    for (const [key, member] of map) {
      if (this.bytes >= this.#maxBytes) {
        setMember(copy, TRUNCATED, `${left} more members`)
        break
      }
      this.#member(copy, String(key), member)
      left--
    }
    return copy
  }

  #member(copy: Record<string, AnyValue>, key: string, value: unknown): void {
    this.bytes += key.length
    const member = this.copy(value)
    if (member !== undefined) setMember(copy, key, member)
  }

  #items(items: Iterable<unknown>, count: number): AnyValue {
    const copy: AnyValue[] = []
    for (const item of items) {
      if (this.bytes >= this.#maxBytes) {
        copy.push(`[truncated: ${count - copy.length} more items]`)
        break
      }
      copy.push(this.copy(item) ?? null)
    }
    return copy
  }

  #binary(buffer: ArrayBufferLike, offset: number, length: number): AnyValue {
    if (this.bytes + length > this.#maxBytes) return `[truncated: ${length} bytes]`
    this.bytes += length
    return new Uint8Array(buffer, offset, length).slice()
  }
}

/** Null when a member cannot be read. */
function shallowCopy(value: object): Record<string, unknown> | null {
  try {
    return { ...value }
  } catch {
    return null
  }
}

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key]
  } catch (error) {
    return threw(error)
  }
}

const ERROR_KEYS = ['name', 'message', 'stack', 'cause', 'errors']

function errorKeys(error: Error): string[] {
  const present = ERROR_KEYS.filter((key) => key in error)
  return [...present, ...Object.keys(error).filter((key) => !present.includes(key))]
}

function threw(error: unknown): string {
  try {
    return `[threw: ${error instanceof Error ? error.message : String(error)}]`
  } catch {
    return '[threw]'
  }
}

/** The serializers take integers as numbers only, so those that no number holds exactly become text. */
function integer(value: bigint): number | string {
  const number = Number(value)
  return BigInt.asIntN(64, value) === value && BigInt(number) === value ? number : String(value)
}
