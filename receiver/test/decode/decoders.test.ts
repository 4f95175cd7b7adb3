import { readFileSync } from 'node:fs'
import { MAX_TIMESTAMP_MICROS, toHookEvent } from '@agentic-hooks/events'
import {
  type AnyValue,
  decode,
  encode,
  expectedEvents,
  type KeyValue,
  type LogRecord,
  type LogsRequest,
} from '@agentic-hooks/testing/reference-decoder/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DecodedRequest, UndecodableError } from '../../src/decode/decoded-request.ts'
import { decodeOtlpJson } from '../../src/decode/otlp-json.ts'
import { decodeOtlpProtobuf } from '../../src/decode/otlp-protobuf.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000
const RUNS = 2_000
const MAX_NANOS = BigInt(MAX_TIMESTAMP_MICROS) * 1000n + 999n

const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ minLength: 100, maxLength: 300 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '\0', 'a\0b', '"\\\t\n', '\u0001\u001f\u007f', '😀', '\u2028'),
  },
)

const key = fc.oneof(
  text,
  fc.constantFrom('', 'a', 'a', 'body', '__proto__', 'tool_name', 'model', 'agent_id'),
)

const { value: anyValue, keyValue } = fc.letrec<{ value: AnyValue; keyValue: KeyValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    text.map((stringValue): AnyValue => ({ stringValue })),
    fc.boolean().map((boolValue): AnyValue => ({ boolValue })),
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((value): AnyValue => ({ intValue: String(value) })),
    fc.integer().map((value): AnyValue => ({ intValue: String(value) })),
    fc.double().map((doubleValue): AnyValue => ({ doubleValue })),
    fc.uint8Array({ maxLength: 20 }).map((bytesValue): AnyValue => ({ bytesValue })),
    fc.constant<AnyValue>({}),
    fc.array(tie('value'), { maxLength: 4 }).map((values): AnyValue => ({ arrayValue: { values } })),
    fc.array(tie('keyValue'), { maxLength: 4 }).map((values): AnyValue => ({ kvlistValue: { values } })),
  ),
  keyValue: fc.record({ key, value: tie('value') }),
}))

const WELL_KNOWN = [
  'log.record.uid',
  'session.id',
  'gen_ai.conversation.id',
  'conversation.id',
  'agentic_hooks.workflow.id',
  'agentic_hooks.phase.id',
  'agentic_hooks.milestone.id',
  'agentic_hooks.data',
  'event.name',
  'gen_ai.tool.name',
  'gen_ai.tool.call.id',
  'gen_ai.agent.id',
  'gen_ai.request.model',
  'body',
]
const shortText = fc.oneof(
  text.filter((value) => value.length <= 300),
  fc.constantFrom('s', 'tool_result', 'agentic_hooks.custom'),
)
const wellKnown = fc.record({
  key: fc.constantFrom(...WELL_KNOWN),
  value: fc.oneof(
    shortText.map((stringValue): AnyValue => ({ stringValue })),
    anyValue,
  ),
})

const nanos = fc
  .oneof(
    fc.bigInt({ min: 0n, max: MAX_NANOS }),
    fc.bigInt({ min: 1_700_000_000_000_000_000n, max: 1_900_000_000_000_000_000n }),
  )
  .map(String)

const logRecord: fc.Arbitrary<LogRecord> = fc.record(
  {
    timeUnixNano: nanos,
    observedTimeUnixNano: nanos,
    severityNumber: fc.integer({ min: 0, max: 30 }),
    severityText: shortText,
    body: fc.oneof(
      anyValue,
      fc.constantFrom<AnyValue>({ stringValue: 'claude_code.tool_result' }, { stringValue: 'tool_result' }),
    ),
    attributes: fc.array(fc.oneof(keyValue, wellKnown), { maxLength: 8 }),
    droppedAttributesCount: fc.nat(),
    flags: fc.nat({ max: 2 ** 32 - 1 }),
    traceId: fc.oneof(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.constant(new Uint8Array(16)),
      fc.uint8Array({ maxLength: 20 }),
    ),
    spanId: fc.oneof(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.constant(new Uint8Array(8))),
  },
  { requiredKeys: [] },
)

const part = fc.record(
  {
    name: shortText,
    version: shortText,
    attributes: fc.array(keyValue, { maxLength: 3 }),
    droppedAttributesCount: fc.nat({ max: 5 }),
  },
  { requiredKeys: [] },
)

const logsRequest: fc.Arbitrary<LogsRequest> = fc.record({
  resourceLogs: fc.array(
    fc.record(
      {
        resource: part.map(({ name: _name, version: _version, ...resource }) => resource),
        schemaUrl: shortText,
        scopeLogs: fc.array(
          fc.record(
            { scope: part, schemaUrl: shortText, logRecords: fc.array(logRecord, { maxLength: 4 }) },
            { requiredKeys: [] },
          ),
          { maxLength: 3 },
        ),
      },
      { requiredKeys: [] },
    ),
    { maxLength: 3 },
  ),
})

function stored({ batch, rejected }: DecodedRequest) {
  expect(rejected).toEqual([])
  return batch.events.map((record) => {
    const { timestamp: _, ...event } = toHookEvent(record)
    return { ...event, observedAtMicros: record.observedAtMicros }
  })
}

/** OTLP's JSON mapping of what the independent decoder read. */
function toJson(request: LogsRequest): Buffer {
  const replacer = (name: string, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
    if (typeof value !== 'object' || value === null || !('type' in value) || value.type !== 'Buffer')
      return value
    return Buffer.from(value as unknown as Buffer).toString(
      name === 'traceId' || name === 'spanId' ? 'hex' : 'base64',
    )
  }
  return Buffer.from(JSON.stringify(request, replacer))
}

describe('against an independent decoder', () => {
  it('reads any protobuf request as that one and docs/guide/values.md say', () => {
    fc.assert(
      fc.property(logsRequest, (request) => {
        const body = encode(request)
        expect(stored(decodeOtlpProtobuf(body, RECEIVED_AT_MICROS))).toEqual(
          expectedEvents(body, RECEIVED_AT_MICROS),
        )
      }),
      { numRuns: RUNS },
    )
  })

  it('reads the same content in JSON as the same events', () => {
    fc.assert(
      fc.property(logsRequest, (request) => {
        const decoded = decode(encode(request))
        const body = toJson(decoded)
        expect(stored(decodeOtlpJson(body, RECEIVED_AT_MICROS))).toEqual(
          expectedEvents(body, RECEIVED_AT_MICROS, decoded),
        )
      }),
      { numRuns: RUNS },
    )
  })

  it('keeps every digit of every int64, in both encodings', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const request = {
          resourceLogs: [
            {
              scopeLogs: [
                { logRecords: [{ attributes: [{ key: 'n', value: { intValue: String(value) } }] }] },
              ],
            },
          ],
        }
        for (const { batch } of [
          decodeOtlpProtobuf(encode(request), RECEIVED_AT_MICROS),
          decodeOtlpJson(toJson(request), RECEIVED_AT_MICROS),
        ]) {
          expect(Buffer.from(batch.events[0]!.data).toString()).toBe(`{"n":${value}}`)
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('reads the body that Claude Code sent', () => {
    const body = readFileSync(new URL('../../fixtures/claude-code/otlp-logs-1.pb', import.meta.url))
    const events = stored(decodeOtlpProtobuf(body, RECEIVED_AT_MICROS))
    expect(events).toEqual(expectedEvents(body, RECEIVED_AT_MICROS))
    expect(events.length).toBeGreaterThan(40)
    expect(new Set(events.map(({ sessionId }) => sessionId))).toEqual(
      new Set(['00dce120-a259-44b5-bebd-43a8ec4c8ee1']),
    )
    expect(new Set(events.map(({ eventType }) => eventType))).toContain('claude_code.tool_result')
    for (const { eventType, data } of events) {
      expect(eventType).toMatch(/^claude_code\.[a-z_]+$/)
      expect(data).not.toHaveProperty('body') // It only repeats the name.
    }
  })

  it("reads OpenTelemetry's own examples", () => {
    const read = (name: string) => {
      const body = readFileSync(new URL(`../../fixtures/otlp/${name}`, import.meta.url))
      return stored(decodeOtlpJson(body, RECEIVED_AT_MICROS))
    }
    expect(read('logs.json')).toMatchObject([
      {
        eventType: 'log',
        sessionId: '',
        timestampMicros: 1_544_712_660_300_000,
        severity: 10,
        traceId: '5b8efff798038103d269b633813fc60c',
        spanId: 'eee19b7ec3c1b174',
        attributes: { severity_text: 'Information' },
        resource: { 'service.name': 'my.service' },
        scope: { name: 'my.library', version: '1.0.0' },
        data: {
          body: 'Example log record',
          'boolean.attribute': true,
          'int.attribute': 10,
          'double.attribute': 637.704,
          'array.attribute': ['many', 'values'],
          'map.attribute': { 'some.map.key': 'some value' },
        },
      },
    ])
    expect(read('events.json')).toMatchObject([
      {
        eventType: 'browser.page_view',
        data: {
          'event.attribute': 'some event attribute',
          body: { type: 0, title: 'Free Online GUID Generator' },
        },
      },
    ])
  })
})

describe('what is not a request', () => {
  it.each([
    ['a length beyond the end', '0a05'],
    ['a varint that does not end', '0aff'],
    ['a varint of eleven bytes', `0a${'ff'.repeat(10)}01`],
    ['field number 0', '02'],
    ['an unknown wire type', '0f'],
    ['a group that ends nowhere', '13'],
    ['the end of a group that never began', '0c'],
  ])('refuses protobuf with %s', (_name, hex) => {
    expect(() => decodeOtlpProtobuf(Buffer.from(hex, 'hex'), RECEIVED_AT_MICROS)).toThrow(UndecodableError)
  })

  it.each([
    ['{', 'the body is not JSON'],
    ['[]', 'must be a JSON object'],
    ['{"resourceLogs":{}}', 'resourceLogs must be an array'],
    ['{"resourceLogs":[1]}', 'resourceLogs[0] must be an object'],
    [
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"soon"}]}]}]}',
      'resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano must be an integer',
    ],
    [
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"INFO"}]}]}]}',
      'logRecords[0].severityNumber must be an integer',
    ],
    [
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":"a","value":{"intValue":1.5}}]}]}]}]}',
      'value.intValue must be an integer',
    ],
  ])('refuses the JSON %s and names the place', (body, message) => {
    expect(() => decodeOtlpJson(Buffer.from(body), RECEIVED_AT_MICROS)).toThrow(message)
    expect(() => decodeOtlpJson(Buffer.from(body), RECEIVED_AT_MICROS)).toThrow(UndecodableError)
  })

  it('decodes or refuses any bytes, and does nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decodeBody of [decodeOtlpProtobuf, decodeOtlpJson]) {
          try {
            decodeBody(bytes, RECEIVED_AT_MICROS)
          } catch (error) {
            expect(error).toBeInstanceOf(UndecodableError)
          }
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('survives 100,000 levels of nesting', () => {
    const levels = 100_000
    const opened = '{"arrayValue":{"values":['.repeat(levels)
    const json = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${opened}${']}}'.repeat(levels)}}]}]}]}`
    const { batch } = decodeOtlpJson(Buffer.from(json), RECEIVED_AT_MICROS)
    expect(Buffer.from(batch.events[0]!.data).toString()).toContain('[nested too deep]')
  })
})
