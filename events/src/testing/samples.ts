import type { EventRecord } from '../batch.ts'
import { jsonBytes, MAX_JSON_DEPTH } from '../codec/json.ts'
import { type Micros, nowMicros } from '../codec/time.ts'
import { uuidv7 } from '../codec/uuid.ts'
import { MAX_NAME_LENGTH, MAX_TIMESTAMP_MICROS } from '../event.ts'

/** A record that any store takes and keeps, of this moment and with a new id; the fields that a test is about are given. */
export function sampleRecord(fields: Partial<EventRecord> = {}): EventRecord {
  return {
    eventId: uuidv7(),
    eventType: 'tool_execution_started',
    sessionId: 'session-1',
    workflowId: null,
    phaseId: null,
    milestoneId: null,
    data: jsonBytes({ tool_name: 'Bash', tool_input: { command: 'ls -la' } }),
    timestampMicros: momentAgo(),
    observedAtMicros: null,
    severity: 9,
    traceId: null,
    spanId: null,
    attributes: null,
    origin: null,
    ...fields,
  }
}

/** A time that no store drops for its age, on any day, with microseconds that one of whole milliseconds would lose. */
function momentAgo(): Micros {
  return nowMicros() - 544
}

export function sampleRecords(count: number, fields: Partial<EventRecord> = {}): EventRecord[] {
  return Array.from({ length: count }, () => sampleRecord(fields))
}

/** Text that breaks naive escaping, in CSV, COPY, SQL, JSON and line formats. */
const HARD_TEXT =
  '\\N \\. \\ "\'`$$ \t\r\n\b\f\v\u0001\u001b\u007f\u0085\u2028\u2029\uFFFD é 日本 👩‍👩‍👧 \u{10FFFF} ;--'

/** Records that hold the values of docs/guide/values.md, each under a name for messages. */
export function hardRecords(): ReadonlyMap<string, EventRecord> {
  const payload = (json: string) => sampleRecord({ data: Buffer.from(json) })
  const { eventId, ...names } = sampleRecord()
  return new Map<string, EventRecord>([
    ['an empty payload', payload('{}')],
    ['hard text in every name', sampleRecord({ ...names, ...hardNames(HARD_TEXT) })],
    ['empty names', sampleRecord({ ...hardNames(''), eventType: 'x' })],
    ['the longest names', sampleRecord(hardNames('👾'.repeat(MAX_NAME_LENGTH / 2)))],
    ['hard text in a payload', sampleRecord({ data: jsonBytes({ [HARD_TEXT]: HARD_TEXT, '': '' }) })],
    ['escapes', payload('{"\\u0041":"\\u00e9\\/\\ud83d\\udc7e\\u0001","b":[" ","\\u007f"]}')],
    ['NUL and lone surrogates, replaced', sampleRecord({ data: jsonBytes({ a: 'x\0y\uD800', 'k\0': 1 }) })],
    [
      'integers beyond 2^53',
      payload('{"a":9007199254740993,"b":-9223372036854775808,"c":18446744073709551615}'),
    ],
    ['an integer of 40 digits', payload('{"a":1234567890123456789012345678901234567890}')],
    ['the ends of a double', payload('{"a":1.7976931348623157e+308,"b":5e-324,"c":-0.1,"d":1e2,"e":0}')],
    ['what is no number', sampleRecord({ data: jsonBytes({ a: NaN, b: Infinity, c: -Infinity, d: -0 }) })],
    ['bytes as base64', sampleRecord({ data: jsonBytes({ a: Uint8Array.of(0, 255, 62, 63) }) })],
    ['literals', payload('{"a":null,"b":true,"c":false,"d":[],"e":{},"f":[null,[[]],{}]}')],
    ['duplicate keys', payload('{"a":1,"b":2,"a":{"c":3,"c":4}}')],
    ['keys of Object.prototype', payload('{"__proto__":{"x":1},"constructor":2,"toString":3}')],
    [
      'the deepest objects',
      payload(`${'{"a":'.repeat(MAX_JSON_DEPTH - 1)}{}${'}'.repeat(MAX_JSON_DEPTH - 1)}`),
    ],
    [
      'the deepest arrays',
      payload(`{"a":${'['.repeat(MAX_JSON_DEPTH - 1)}${']'.repeat(MAX_JSON_DEPTH - 1)}}`),
    ],
    ['a string of 1 MiB', sampleRecord({ data: jsonBytes({ a: '\\"é👾'.repeat(2 ** 20 / 5) }) })],
    ['ten thousand keys', sampleRecord({ data: jsonBytes(manyKeys(10_000)) })],
    ['the first microsecond', sampleRecord({ timestampMicros: 1 })],
    ['a microsecond before 1970-01-02', sampleRecord({ timestampMicros: 86_400_000_000 - 1 })],
    ['the last microsecond', sampleRecord({ timestampMicros: MAX_TIMESTAMP_MICROS })],
    ['the nil UUID', sampleRecord({ eventId: '00000000-0000-0000-0000-000000000000' })],
    ['the max UUID', sampleRecord({ eventId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' })],
    ['a random UUID', sampleRecord({ eventId: crypto.randomUUID() })],
    ['no severity', sampleRecord({ severity: null })],
    ['every OpenTelemetry field', everyField(eventId)],
    [
      'a resource alone',
      sampleRecord({ origin: { resource: jsonBytes({ 'service.name': 'r' }), scope: null } }),
    ],
    ['a scope alone', sampleRecord({ origin: { resource: null, scope: jsonBytes({ name: 's' }) } })],
  ])
}

function hardNames(text: string): Partial<EventRecord> {
  return { eventType: text, sessionId: text, workflowId: text, phaseId: text, milestoneId: text }
}

function manyKeys(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`key ${index}`, index]))
}

function everyField(eventId: string): EventRecord {
  return {
    eventId,
    eventType: 'tool_blocked',
    sessionId: 'session',
    workflowId: 'workflow',
    phaseId: 'phase',
    milestoneId: 'milestone',
    data: jsonBytes({ tool_name: 'Write', [HARD_TEXT]: [HARD_TEXT] }),
    timestampMicros: momentAgo(),
    observedAtMicros: momentAgo() + 1,
    severity: 24,
    traceId: '0123456789abcdef0123456789abcdef',
    spanId: 'fedcba9876543210',
    attributes: jsonBytes({
      'log.record.uid': 'original',
      [HARD_TEXT]: HARD_TEXT,
      n: 9_007_199_254_740_993n,
    }),
    origin: {
      resource: jsonBytes({ 'service.name': HARD_TEXT, 'process.pid': 4242, nested: { a: [1, null] } }),
      scope: jsonBytes({ name: 'scope', version: '1.0.0', attributes: { b: true } }),
    },
  }
}
