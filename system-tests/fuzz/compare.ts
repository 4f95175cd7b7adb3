import { toHookEvent } from '@agentic-hooks/events'
import { type DecodedRequest, decodeOtlpProtobuf, UndecodableError } from '@agentic-hooks/receiver/decode'
import { readJson } from '@agentic-hooks/testing/reference-decoder/json'
import { decode, encode, expectedEvents } from '@agentic-hooks/testing/reference-decoder/protobuf'
import protobuf from 'protobufjs'

/** `incomparable`: the independent decoder does not read it, or reads it otherwise than protobuf says. */
export type Comparison = 'same' | 'different' | 'incomparable'

/** Compares what became of a JSON body with what an independent reading of it gives. */
export function compareJson(body: Buffer, decoded: DecodedRequest, receivedAtMicros: number): Comparison {
  let request: ReturnType<typeof readJson>
  try {
    request = readJson(body)
  } catch {
    return 'incomparable' // What is not stored is not checked by ours.
  }
  return compare(decoded, expectedEvents(body, receivedAtMicros, request))
}

/**
 * The same for protobuf. The independent decoder replaces a message that occurs twice where protobuf says to merge
 * it, does not tell which of a oneof's members came last and knows no event_name. A body with one of those is
 * compared in the form that the independent decoder writes itself.
 */
export function compareProtobuf(body: Buffer, decoded: DecodedRequest, receivedAtMicros: number): Comparison {
  let written: Buffer
  try {
    const request = decode(body)
    if (isReadAlike(body)) return compare(decoded, expectedEvents(body, receivedAtMicros, request))
    if (hasTwoMembers(request)) return 'incomparable'
    written = encode(request)
  } catch {
    return 'incomparable'
  }
  try {
    return compare(decodeOtlpProtobuf(written, receivedAtMicros), expectedEvents(written, receivedAtMicros))
  } catch (error) {
    if (error instanceof UndecodableError) return 'different'
    throw error
  }
}

function compare({ batch, rejected }: DecodedRequest, expected: readonly object[]): Comparison {
  if (rejected.length > 0) return 'incomparable'
  return comparable(batch.events.map(toHookEvent)) === comparable(expected) ? 'same' : 'different'
}

/** The messages inside a message, by field number; `once` for those that do not repeat. */
type Fields = Readonly<Record<number, { readonly of: () => Fields; readonly once?: true }>>

const ANY_VALUE: Fields = {
  5: { of: () => ({ 1: { of: () => ANY_VALUE } }) },
  6: { of: () => ({ 1: { of: () => KEY_VALUE } }) },
}
const KEY_VALUE: Fields = { 2: { of: () => ANY_VALUE, once: true } }
const RESOURCE: Fields = { 1: { of: () => KEY_VALUE } }
const SCOPE: Fields = { 3: { of: () => KEY_VALUE } }
const LOG_RECORD: Fields = { 5: { of: () => ANY_VALUE, once: true }, 6: { of: () => KEY_VALUE } }
const SCOPE_LOGS: Fields = { 1: { of: () => SCOPE, once: true }, 2: { of: () => LOG_RECORD } }
const RESOURCE_LOGS: Fields = { 1: { of: () => RESOURCE, once: true }, 2: { of: () => SCOPE_LOGS } }
const REQUEST: Fields = { 1: { of: () => RESOURCE_LOGS } }
const EVENT_NAME = 12

/** Whether the body has nothing that the independent decoder reads otherwise than protobuf says. */
function isReadAlike(body: Buffer): boolean {
  return isMessageReadAlike(protobuf.Reader.create(body), body.length, REQUEST)
}

function isMessageReadAlike(reader: protobuf.Reader, end: number, fields: Fields): boolean {
  const seen = new Set<number>()
  while (reader.pos < end) {
    const tag = reader.uint32()
    const number = tag >>> 3
    if (fields === LOG_RECORD && number === EVENT_NAME) return false
    const field = fields[number]
    // All members of an AnyValue are one oneof.
    const place = fields === ANY_VALUE ? 0 : number
    if ((fields === ANY_VALUE || field?.once) && seen.has(place)) return false
    seen.add(place)
    if (!field) reader.skipType(tag & 7)
    else {
      const stop = reader.uint32() + reader.pos
      if (!isMessageReadAlike(reader, stop, field.of())) return false
    }
  }
  return true
}

function hasTwoMembers(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  const members = Object.entries(value)
  const set = members.filter(([key]) => key.endsWith('Value'))
  return set.length > 1 || members.some(([, member]) => hasTwoMembers(member))
}

function comparable(events: readonly object[]): string {
  return JSON.stringify(events.map((event) => sorted({ ...event, timestamp: 0, observedAtMicros: 0 })))
}

/** Two objects of the same content in the same spelling. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, member]) => [key, sorted(member)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}
