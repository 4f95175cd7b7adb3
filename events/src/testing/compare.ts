import assert from 'node:assert/strict'
import type { EventRecord } from '../batch.ts'
import type { Exporter } from '../exporter.ts'

export function byId(records: readonly EventRecord[]): Map<string, EventRecord> {
  return new Map(records.map((record) => [record.eventId, record]))
}

/**
 * The store holds these events and no others: each once, unless a given exporter that is not idempotent got
 * some of them again.
 */
export function assertHolds(
  stored: readonly EventRecord[],
  expected: readonly EventRecord[],
  repeatedTo?: Exporter,
): void {
  const found = byId(stored)
  for (const record of expected) assertSame(found.get(record.eventId), record, `event ${record.eventId}`)
  assert.equal(found.size, byId(expected).size, 'the store holds no events that were not sent')
  if (!repeatedTo || repeatedTo.idempotent)
    assert.equal(stored.length, found.size, 'each event is stored once')
}

const PLAIN_FIELDS = [
  'eventId',
  'eventType',
  'sessionId',
  'workflowId',
  'phaseId',
  'milestoneId',
  'timestampMicros',
  'severity',
  'traceId',
  'spanId',
] as const

/** Equal in every value, whatever the spelling of the JSON; the time of observation need not be kept. */
export function assertSame(stored: EventRecord | undefined, sent: EventRecord, what: string): void {
  assert.ok(stored, `${what} is stored`)
  for (const field of PLAIN_FIELDS) assert.equal(stored[field], sent[field], `${field} of ${what}`)
  assertSameJson(stored.data, sent.data, `data of ${what}`)
  assertSameJson(stored.attributes, sent.attributes, `attributes of ${what}`)
  assertSameJson(stored.origin?.resource, sent.origin?.resource, `resource of ${what}`)
  assertSameJson(stored.origin?.scope, sent.origin?.scope, `scope of ${what}`)
}

function assertSameJson(
  stored: Uint8Array | null | undefined,
  sent: Uint8Array | null | undefined,
  what: string,
) {
  const [actual, expected] = [canonicalJson(stored), canonicalJson(sent)]
  // Not assert.equal: the difference of two texts of a megabyte takes it minutes.
  assert.ok(actual === expected, `${what} is ${excerpt(actual)} and should be ${excerpt(expected)}`)
}

/** One spelling for each JSON value: keys sorted, numbers by their exact decimal value. */
function canonicalJson(bytes: Uint8Array | null | undefined): string | null {
  return bytes ? JSON.stringify(JSON.parse(Buffer.from(bytes).toString(), canonicalValue)) : null
}

function canonicalValue(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value === 'number') return `\0${canonicalNumber(context?.source ?? String(value))}`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** `1e2`, `100` and `100.0` are all `1e2`; no payload holds a NUL, so no text looks like one. */
function canonicalNumber(literal: string): string {
  const [, sign, whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e(.+))?$/i.exec(
    literal,
  )!
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (!significant) return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}

function excerpt(text: string | null): string | null {
  return text && text.length > 500 ? `${text.slice(0, 400)}… (${text.length} characters)` : text
}
