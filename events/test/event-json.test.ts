import { describe, expect, it } from 'vitest'
import {
  decodeEvent,
  InvalidEventError,
  MAX_NAME_LENGTH,
  MAX_TIMESTAMP_MICROS,
  parseJson,
  toEventRecord,
  toHookEvent,
  uuidFromText,
  uuidv7,
} from '../src/index.ts'

const minimal = { event_type: 'custom', session_id: 's' }

function fieldsWrongIn(value: unknown, path?: string) {
  try {
    decodeEvent(value, path)
  } catch (error) {
    if (error instanceof InvalidEventError) return error.fields
    throw error
  }
  return []
}

describe('decodeEvent', () => {
  it('reads every field', () => {
    const record = decodeEvent({
      event_id: '01A2044A-9957-7776-9216-4834B8D50546',
      event_type: 'tool_blocked',
      session_id: 'session',
      workflow_id: 'workflow',
      phase_id: 'phase',
      milestone_id: 'milestone',
      data: { a: 1 },
      timestamp: '2026-11-22T15:36:00.123456+00:00',
      severity: 13,
      trace_id: '0123456789ABCDEF0123456789abcdef',
      span_id: '0123456789abcdef',
      attributes: { b: 2 },
      resource: { 'service.name': 'x' },
      scope: { name: 'y' },
      unknown: 'is ignored',
    })
    expect(toHookEvent(record)).toEqual({
      eventId: '01a2044a-9957-7776-9216-4834b8d50546',
      eventType: 'tool_blocked',
      sessionId: 'session',
      workflowId: 'workflow',
      phaseId: 'phase',
      milestoneId: 'milestone',
      data: { a: 1 },
      timestamp: new Date('2026-11-22T15:36:00.123Z'),
      timestampMicros: Date.parse('2026-11-22T15:36:00.123Z') * 1000 + 456,
      severity: 13,
      traceId: '0123456789abcdef0123456789abcdef',
      spanId: '0123456789abcdef',
      attributes: { b: 2 },
      resource: { 'service.name': 'x' },
      scope: { name: 'y' },
    })
  })

  it('needs only a type and a session', () => {
    const { eventId, ...rest } = toHookEvent(decodeEvent(minimal))
    expect(eventId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    expect(rest).toMatchObject({
      data: {},
      workflowId: null,
      attributes: null,
      scope: null,
    })
  })

  it('takes the time inside a UUIDv7 when there is no other, and else the time of receipt', () => {
    const eventId = uuidv7()
    expect(decodeEvent({ ...minimal, event_id: eventId }, '', 5).timestampMicros).toBe(
      Number.parseInt(eventId.replaceAll('-', '').slice(0, 12), 16) * 1000,
    )
    expect(decodeEvent({ ...minimal, event_id: crypto.randomUUID() }, '', 5).timestampMicros).toBe(5)
    expect(decodeEvent({ ...minimal, event_id: 'x', timestamp: 0 }, '', 5).timestampMicros).toBe(5)
  })

  it('keeps an event id that is no UUID in the attributes', () => {
    const record = toHookEvent(decodeEvent({ ...minimal, event_id: 'toolu_1', attributes: { a: 1 } }))
    expect(record.eventId).toBe(uuidFromText('toolu_1'))
    expect(record.attributes).toEqual({ a: 1, 'log.record.uid': 'toolu_1' })
  })

  it('replaces what no store can hold', () => {
    const record = decodeEvent({ event_type: 'a\0', session_id: '\uD800', data: { '\0': '\uDC00' } })
    expect(record).toMatchObject({ eventType: 'a\uFFFD', sessionId: '\uFFFD' })
    expect(Buffer.from(record.data).toString()).toBe('{"\uFFFD":"\uFFFD"}')
  })

  it.each([
    [1_795_361_760, 1_795_361_760_000_000],
    [1_795_361_760.123456, 1_795_361_760_123_456],
    [1_795_361_760.000001, 1_795_361_760_000_001],
    [1_795_361_760_123, 1_795_361_760_123_000],
    [1_795_361_760_123.456, 1_795_361_760_123_456],
    [20_000_000_000, MAX_TIMESTAMP_MICROS],
    [0.0000015, 1],
    [new Date(1), 1000],
    ['1970-01-01T00:00:00.000001Z', 1],
    ['2255-06-05T23:47:34.740991Z', MAX_TIMESTAMP_MICROS],
  ])('reads the timestamp %s', (timestamp, micros) => {
    const wrong = micros === MAX_TIMESTAMP_MICROS && typeof timestamp === 'number'
    if (wrong) expect(fieldsWrongIn({ ...minimal, timestamp })).toHaveLength(1)
    else expect(decodeEvent({ ...minimal, timestamp }, '', 77).timestampMicros).toBe(micros)
  })

  it.each([
    ['2255-06-05T23:47:34.740992Z', 'must be from 1970 to 2255-06-05'],
    ['1969-12-31T23:59:59Z', 'must be from 1970 to 2255-06-05'],
    [-1, 'must be from 1970 to 2255-06-05'],
    [1e300, 'must be from 1970 to 2255-06-05'],
    ['yesterday', 'must be an ISO 8601 time such as 2026-11-22T15:36:00.123456Z'],
    [true, 'must be an ISO 8601 time such as 2026-11-22T15:36:00.123456Z'],
    [new Date(NaN), 'must be an ISO 8601 time such as 2026-11-22T15:36:00.123456Z'],
    [parseJson('1795361760123456789'), 'must be an ISO 8601 time such as 2026-11-22T15:36:00.123456Z'],
  ])('refuses the timestamp %s', (timestamp, message) => {
    expect(fieldsWrongIn({ ...minimal, timestamp })).toEqual([{ path: 'timestamp', message }])
  })

  it('keeps names of 512 units and refuses longer ones', () => {
    const longest = 'é'.repeat(MAX_NAME_LENGTH)
    expect(decodeEvent({ event_type: longest, session_id: longest }).eventType).toBe(longest)
    expect(fieldsWrongIn({ ...minimal, phase_id: `${longest}x` })).toEqual([
      { path: 'phase_id', message: 'is 513 characters long; at most 512 can be stored' },
    ])
  })

  it('lists every wrong field by its path', () => {
    const wrong = {
      event_id: 1,
      session_id: null,
      workflow_id: ['x'],
      phase_id: parseJson('12345678901234567890'),
      data: 'text',
      severity: 25,
      trace_id: 'xyz',
      span_id: '0123',
      attributes: [],
      scope: 1,
    }
    expect(fieldsWrongIn(wrong, '3.')).toEqual([
      { path: '3.event_type', message: 'is required' },
      { path: '3.session_id', message: 'is required' },
      { path: '3.event_id', message: 'must be a string, not a number' },
      { path: '3.attributes', message: 'must be an object, not an array' },
      { path: '3.scope', message: 'must be an object, not a number' },
      { path: '3.workflow_id', message: 'must be a string, not an array' },
      { path: '3.phase_id', message: 'must be a string, not a number' },
      { path: '3.data', message: 'must be an object, not a string' },
      { path: '3.severity', message: 'must be an OpenTelemetry severity number, an integer from 1 to 24' },
      { path: '3.trace_id', message: 'must be 32 hexadecimal digits' },
      { path: '3.span_id', message: 'must be 16 hexadecimal digits' },
    ])
  })

  it('refuses what is no object, naming where it was', () => {
    for (const value of [null, 1, 'x', [], parseJson('12345678901234567890')]) {
      expect(fieldsWrongIn(value, '0.')).toEqual([{ path: '0', message: 'must be a JSON object' }])
    }
  })

  it('takes an empty session, but no empty type', () => {
    expect(decodeEvent({ event_type: 'custom', session_id: '' }).sessionId).toBe('')
    expect(fieldsWrongIn({ event_type: '', session_id: '' })).toEqual([
      { path: 'event_type', message: 'is required' },
    ])
  })

  it('says all of it in the message', () => {
    expect(() => decodeEvent({ session_id: 1 })).toThrow(
      'event_type: is required; session_id: must be a string, not a number',
    )
  })
})

describe('toEventRecord', () => {
  it('makes the record of an event of a program', () => {
    const event = { eventType: 'custom', sessionId: 's', data: { when: new Date(0), big: 2n ** 60n } }
    const record = toEventRecord({ ...event, timestamp: 1_795_361_760_123 })
    expect(record.timestampMicros).toBe(1_795_361_760_123_000)
    expect(Buffer.from(record.data).toString()).toBe(
      '{"when":"1970-01-01T00:00:00.000Z","big":1152921504606846976}',
    )
  })

  it('reads a small number as milliseconds too', () => {
    expect(toEventRecord({ eventType: 'custom', sessionId: 's', timestamp: 1500 }).timestampMicros).toBe(
      1_500_000,
    )
  })

  it('refuses an event without a type', () => {
    // @ts-expect-error what plain JavaScript can do
    expect(() => toEventRecord({ sessionId: 's' })).toThrow('event_type: is required')
  })
})
