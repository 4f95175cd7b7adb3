import { toHookEvent } from '@agentic-hooks/events'
import { describe, expect, it } from 'vitest'
import { decodeOtlpJson } from '../../src/decode/otlp-json.ts'
import { jsonAnswers, protobufAnswers } from '../../src/routes/otlp-answers.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000
const TIME = '1796080000000000000'

const decode = (body: unknown) =>
  decodeOtlpJson(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), RECEIVED_AT_MICROS)

const eventsOf = (body: unknown) => decode(body).batch.events.map(toHookEvent)

const logsOf = (...logRecords: unknown[]) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] })

const SNAKE_CASE = {
  resource_logs: [
    {
      resource: {
        attributes: [{ key: 'service.name', value: { string_value: 'app' } }],
        dropped_attributes_count: 2,
      },
      schema_url: 'https://example.com/1',
      scope_logs: [
        {
          scope: { name: 'scope', version: null },
          log_records: [
            {
              time_unix_nano: TIME,
              observed_time_unix_nano: 1796080000000001000,
              severity_number: 'SEVERITY_NUMBER_ERROR2',
              severity_text: 'error',
              event_name: 'agentic_hooks.custom',
              trace_id: '5b8efff798038103d269b633813fc60c',
              span_id: 'eee19b7ec3c1b174',
              dropped_attributes_count: '3',
              flags: 1,
              body: null,
              attributes: [
                { key: 'session.id', value: { string_value: 's' } },
                {
                  key: 'agentic_hooks.data',
                  value: {
                    kvlist_value: {
                      values: [
                        { key: 'text', value: { string_value: 'x' } },
                        { key: 'int', value: { int_value: '9007199254740991' } },
                        { key: 'double', value: { double_value: 0.5 } },
                        { key: 'bool', value: { bool_value: true } },
                        { key: 'list', value: { array_value: { values: [{ int_value: 1 }, {}] } } },
                        { key: 'bytes', value: { bytes_value: '-_8' } },
                        { key: 'none', value: null },
                      ],
                    },
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  ],
}

/** The same names in lowerCamelCase. */
function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase)
  if (typeof value !== 'object' || value === null) return value
  const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [camel(key), camelCase(member)]))
}

describe('OTLP JSON with the names of the .proto files', () => {
  it('means the same as with names in lowerCamelCase', () => {
    const [snake] = eventsOf(SNAKE_CASE)
    const [camel] = eventsOf(camelCase(SNAKE_CASE))
    expect({ ...snake, eventId: '' }).toEqual({ ...camel, eventId: '' })
    expect(snake).toMatchObject({
      eventType: 'custom',
      sessionId: 's',
      severity: 18,
      traceId: '5b8efff798038103d269b633813fc60c',
      spanId: 'eee19b7ec3c1b174',
      timestampMicros: 1796080000000000,
      data: {
        text: 'x',
        int: 9007199254740991,
        double: 0.5,
        bool: true,
        list: [1, null],
        bytes: '+/8=',
        none: null,
      },
      attributes: {
        severity_text: 'error',
        flags: 1,
        dropped_attributes_count: 3,
        'resource.dropped_attributes_count': 2,
        'resource.schema_url': 'https://example.com/1',
      },
      resource: { 'service.name': 'app' },
      scope: { name: 'scope' },
    })
  })

  it('may be mixed with the others', () => {
    const [event] = eventsOf(logsOf({ time_unix_nano: TIME, body: { string_value: 'hi' } }))
    expect(event).toMatchObject({ data: { body: 'hi' }, timestampMicros: 1796080000000000 })
  })

  it('may name a value twice only if one of them is null', () => {
    const [event] = eventsOf(logsOf({ body: { stringValue: null, string_value: 'hi' } }))
    expect(event!.data).toEqual({ body: 'hi' })
    expect(() => decode(logsOf({ body: { stringValue: 'a', int_value: 1 } }))).toThrow('must have one value')
  })

  it('may have ids in base64, as protobuf libraries print bytes', () => {
    const [event] = eventsOf(logsOf({ traceId: 'W47/95gDgQPSabYzgT/GDA==', spanId: '7uGbfsPBsXQ=' }))
    expect(event).toMatchObject({ traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174' })
  })

  it.each([
    ['SEVERITY_NUMBER_UNSPECIFIED', null],
    ['SEVERITY_NUMBER_TRACE', 1],
    ['SEVERITY_NUMBER_INFO', 9],
    ['SEVERITY_NUMBER_WARN3', 15],
    ['SEVERITY_NUMBER_FATAL4', 24],
    ['9', 9],
  ])('has the severity %s', (name, number) => {
    expect(eventsOf(logsOf({ severityNumber: name }))[0]!.severity).toBe(number)
  })
})

it('takes the names of OTLP before 1.0', () => {
  const old = {
    resourceLogs: [
      {
        instrumentationLibraryLogs: [
          {
            instrumentationLibrary: { name: 'lib' },
            logs: [{ timeUnixNano: TIME, body: { stringValue: 'old' } }],
          },
        ],
      },
    ],
  }
  expect(eventsOf(old)[0]).toMatchObject({ data: { body: 'old' }, scope: { name: 'lib' } })
})

describe('a value that JavaScript sends', () => {
  it.each([
    ['intValue', '18446744073709552000', '18446744073709552000'],
    ['intValue', '-9223372036854775809', '-9223372036854775809'],
    ['intValue', '1e20', '1e20'],
    ['bytesValue', '{"type":"Buffer","data":[1,2,255]}', '"AQL/"'],
    ['bytesValue', '{"type":"Buffer","data":[]}', '""'],
  ])('is kept: %s %s', (member, value, stored) => {
    const record = `{"body":{"${member}":${value}}}`
    const { batch } = decode(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${record}]}]}]}`)
    expect(Buffer.from(batch.events[0]!.data).toString()).toBe(`{"body":${stored}}`)
  })
})

describe('a log record with something wrong inside', () => {
  it.each<[string, unknown]>([
    ['an integer that is none', { attributes: [{ key: 'a', value: { intValue: 1.5 } }] }],
    ['millions of digits', { attributes: [{ key: 'a', value: { intValue: '7'.repeat(2_000_000) } }] }],
    ['bytes that are none', { body: { bytesValue: { type: 'Buffer', data: [256] } } }],
    ['a time that is none', { timeUnixNano: 'soon' }],
    ['a time beyond 64 bits', { timeUnixNano: '9'.repeat(30) }],
    ['an id that is no hex', { traceId: 'x'.repeat(32) }],
    ['an unknown severity', { severityNumber: 'SEVERITY_NUMBER_LOUD' }],
    [
      'wrong data of ours',
      { attributes: [{ key: 'agentic_hooks.data', value: { kvlistValue: { values: 1 } } }] },
    ],
    ['nothing of a record', 1],
    ['null', null],
  ])('costs the others nothing: %s', (_, wrong) => {
    const good = (text: string) => ({ timeUnixNano: TIME, body: { stringValue: text } })
    const { batch, rejected } = decode(logsOf(good('a'), wrong, wrong, good('b'), good('c')))
    expect(batch.events.map(toHookEvent).map(({ data }) => data)).toEqual([
      { body: 'a' },
      { body: 'b' },
      { body: 'c' },
    ])
    expect(rejected.map(({ reason }) => reason.slice(0, 29))).toEqual(
      ['log record 1: logRecords[1]', 'log record 2: logRecords[2]'].map((start) =>
        expect.stringContaining(start),
      ),
    )
    expect(new Set([...batch.events, ...rejected].map(({ eventId }) => eventId)).size).toBe(5)
  })

  it('makes the request undecodable when there is no other', () => {
    expect(() => decode(logsOf({ timeUnixNano: 'soon' }, 1))).toThrow(
      'resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano must be an integer',
    )
  })
})

describe('a request without log records', () => {
  it.each<[string, unknown, string]>([
    ['at the top', { resourceLog: [] }, '"resourceLog"'],
    ['of another signal', { resourceSpans: [{ scopeSpans: [] }] }, '"resourceSpans"'],
    ['further in', { resourceLogs: [{ scopeSpans: [] }] }, '"scopeSpans"'],
    ['at the end', { resourceLogs: [{ scopeLogs: [{ records: [{}] }] }] }, '"records"'],
    ['of any length', { [`"${'x'.repeat(10_000)}`]: 1 }, `"\\"${'x'.repeat(63)}"`],
  ])('is told of a name that is not known %s', (_, body, name) => {
    const { warning, rejected } = decode(body)
    expect(warning).toBe(`no log records found; ${name} is not known in OTLP logs`)
    const result = { stored: 0, duplicates: 0, rejected, warning }
    expect(JSON.parse(jsonAnswers.encodeResult(result).body)).toEqual({
      partialSuccess: { rejectedLogRecords: '0', errorMessage: warning },
    })
    expect(protobufAnswers.encodeResult(result).body.toString()).toContain('no log records found')
  })

  it.each([
    {},
    { resourceLogs: [] },
    { resourceLogs: null },
    { resource_logs: [{ resource: {}, scope_logs: [] }] },
  ])('is told nothing when all of it is known: %j', (body) => {
    expect(decode(body).warning).toBeUndefined()
  })
})
