import {
  decodeLine,
  type EventRecord,
  encodeLines,
  formatTimestamp,
  InvalidEventError,
  MAX_TIMESTAMP_MICROS,
  parseTimestamp,
} from '@agentic-hooks/events'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeOtlpJson } from '../../src/decode/otlp-json.ts'
import { decodeRestEvent } from '../../src/decode/rest.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000

function restRecord(event: string): EventRecord {
  return decodeRestEvent(Buffer.from(event), RECEIVED_AT_MICROS).batch.events[0]!
}

/** With payloads as text in which no object has a key twice, and without what a line does not hold. */
function comparable({ data, attributes, origin, observedAtMicros: _, ...plain }: EventRecord) {
  const text = (json: Uint8Array | null | undefined) =>
    json && JSON.stringify(JSON.parse(Buffer.from(json).toString()))
  return {
    ...plain,
    data: text(data),
    attributes: text(attributes),
    resource: text(origin?.resource) ?? null,
    scope: text(origin?.scope) ?? null,
  }
}

function expectReadBack(records: readonly EventRecord[]): void {
  const lines = encodeLines(records).toString().split('\n').slice(0, -1)
  const read = lines.map((line) => comparable(decodeLine(line, 1)))
  expect(read).toEqual(records.map(comparable))
}

const anyNumber = fc.oneof(
  fc.double(),
  fc.constantFrom(
    1.23e-7,
    1e-6,
    -1e-7,
    1e20,
    1e21,
    1e300,
    -1e300,
    5e-324,
    2e10,
    20_000_000_001,
    -0.5,
    9007199254.7,
  ),
  fc.double({ min: 0, max: 1e13 }),
)
const uuid = fc.uuid({ version: [1, 4, 5, 7] })

describe('a line of JSONL', () => {
  it('gives back whatever REST accepts', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 })
    const event = fc.record(
      {
        event_type: text,
        session_id: text,
        workflow_id: fc.option(text),
        event_id: fc.oneof(uuid, text),
        timestamp: fc.oneof(anyNumber, fc.date({ noInvalidDate: true }), text),
        data: fc.dictionary(text, fc.jsonValue({ stringUnit: 'binary' })),
        attributes: fc.dictionary(text, anyNumber),
        resource: fc.dictionary(text, fc.jsonValue()),
        severity: fc.oneof(fc.integer({ min: 0, max: 25 }), anyNumber),
      },
      { requiredKeys: ['event_type', 'session_id'] },
    )
    let accepted = 0
    fc.assert(
      fc.property(event, (value) => {
        try {
          expectReadBack([restRecord(JSON.stringify(value))])
          accepted++
        } catch (error) {
          if (!(error instanceof InvalidEventError)) throw error
        }
      }),
      { numRuns: 1000 },
    )
    expect(accepted).toBeGreaterThan(100)
  })

  it('gives back whatever OTLP accepts', () => {
    const nanos = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.constantFrom(
        0n,
        1n,
        999n,
        1000n,
        BigInt(MAX_TIMESTAMP_MICROS) * 1000n,
        BigInt(MAX_TIMESTAMP_MICROS) * 1000n + 1000n,
      ),
    )
    const text = fc.string({ unit: 'binary', maxLength: 20 })
    const attribute = fc.record({
      key: fc.oneof(
        fc.constantFrom('event.name', 'session.id', 'log.record.uid', 'agentic_hooks.workflow.id', 'body'),
        text,
      ),
      value: fc.oneof(
        fc.record({ stringValue: text }),
        fc.record({ doubleValue: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
      ),
    })
    const record = fc.record({
      timeUnixNano: nanos.map(String),
      observedTimeUnixNano: nanos.map(String),
      eventName: text,
      severityNumber: fc.integer({ min: 0, max: 30 }),
      body: fc.record({ stringValue: text }),
      attributes: fc.array(attribute, { maxLength: 4 }),
    })
    fc.assert(
      fc.property(fc.array(record, { maxLength: 3 }), (logRecords) => {
        const body = { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }
        expectReadBack(decodeOtlpJson(Buffer.from(JSON.stringify(body)), RECEIVED_AT_MICROS).batch.events)
      }),
      { numRuns: 500 },
    )
  })

  it('has a time that can be read, whatever the time is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.maxSafeInteger()), (micros) => {
        expect(parseTimestamp(formatTimestamp(micros))).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})

describe('an event without a timestamp', () => {
  it.each([
    ['takes the time of its UUIDv7', '0193a1b2-0000-7000-8000-00000000000a', 0x0193a1b20000 * 1000],
    ['does not believe an id of 2203', '06b0e0b4-78fc-7d23-8000-0d58edc0e9b4', RECEIVED_AT_MICROS],
    ['does not believe an id of 10889', 'ffffffff-ffff-7fff-bfff-ffffffffffff', RECEIVED_AT_MICROS],
    ['does not believe an id of 1970', '00000000-0000-7000-8000-000000000000', RECEIVED_AT_MICROS],
    ['does not believe an id of 2014', '0146e7eb-5400-7000-8000-000000000000', RECEIVED_AT_MICROS],
    ['has no time in a UUIDv4', '0193a1b2-0000-4000-8000-00000000000a', RECEIVED_AT_MICROS],
  ])('%s', (_, id, micros) => {
    const json = `{"event_id":"${id}","event_type":"t","session_id":"s"}`
    expect(restRecord(json).timestampMicros).toBe(micros)
    expect(decodeLine(json, RECEIVED_AT_MICROS).timestampMicros).toBe(micros)
  })
})

describe('a timestamp that is a number', () => {
  it.each([
    ['1.23e-7', RECEIVED_AT_MICROS],
    ['1e-300', RECEIVED_AT_MICROS],
    ['0', RECEIVED_AT_MICROS],
    ['1e-6', 1],
    ['1.5e9', 1_500_000_000_000_000],
    ['1.5E+12', 1_500_000_000_000_000],
    ['1795361760.123456', 1_795_361_760_123_456],
    ['1795361760123.456', 1_795_361_760_123_456],
  ])('of %s is read', (number, micros) => {
    expect(restRecord(`{"event_type":"t","session_id":"s","timestamp":${number}}`).timestampMicros).toBe(
      micros,
    )
  })

  it.each(['1e20', '1e21', '1e300', '1e999', '-1', '-1e-3', '-1e300', '9007199254741'])(
    'of %s is refused',
    (number) => {
      expect(() => restRecord(`{"event_type":"t","session_id":"s","timestamp":${number}}`)).toThrow(
        /timestamp: must be/,
      )
    },
  )
})

it.each(['REST', 'OTLP'])('skips a byte order mark before a body of %s', (way) => {
  const bodies = {
    REST: '{"event_type":"t","session_id":"s"}',
    OTLP: '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}',
  }
  const decode = way === 'REST' ? decodeRestEvent : decodeOtlpJson
  const body = Buffer.from(`\uFEFF${bodies[way as 'REST' | 'OTLP']}`)
  expect(decode(body, RECEIVED_AT_MICROS).batch.events).toHaveLength(1)
})
