import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeEvent,
  decodeLine,
  encodeLines,
  InvalidEventError,
  toHookEvent,
  uuidFromText,
} from '../src/index.ts'
import { hardRecords, sampleRecord } from '../src/testing/index.ts'

describe('encodeLines', () => {
  it('writes exactly the keys of the format, in their order', () => {
    const record = sampleRecord({
      eventId: '01a2044a-9957-7776-9216-4834b8d50546',
      eventType: 'custom',
      data: Buffer.from('{"a":1}'),
      timestampMicros: Date.parse('2026-11-22T15:36:00.123Z') * 1000 + 456,
      severity: null,
    })
    expect(encodeLines([record]).toString()).toBe(
      '{"event_id":"01a2044a-9957-7776-9216-4834b8d50546","event_type":"custom","session_id":"session-1",' +
        '"workflow_id":null,"phase_id":null,"milestone_id":null,"data":{"a":1},' +
        '"timestamp":"2026-11-22T15:36:00.123456+00:00"}\n',
    )
  })

  it('puts OpenTelemetry fields after the timestamp, those that are there', () => {
    const line = (fields: Parameters<typeof sampleRecord>[0]) =>
      encodeLines([sampleRecord({ severity: null, ...fields })])
        .toString()
        .replace(/^.*"timestamp":"[^"]+"/, '')
    expect(line({ severity: 9 })).toBe(',"severity":9}\n')
    expect(line({ attributes: Buffer.from('{"a":1}') })).toBe(',"attributes":{"a":1}}\n')
    expect(line({ origin: { resource: null, scope: Buffer.from('{"name":"n"}') } })).toBe(
      ',"scope":{"name":"n"}}\n',
    )
    const everything = {
      traceId: '0123456789abcdef0123456789abcdef',
      spanId: '0123456789abcdef',
      severity: 17,
      attributes: Buffer.from('{"a":1}'),
      origin: { resource: Buffer.from('{"r":1}'), scope: Buffer.from('{"s":1}') },
    }
    expect(line(everything)).toBe(
      ',"trace_id":"0123456789abcdef0123456789abcdef","span_id":"0123456789abcdef","severity":17,' +
        '"attributes":{"a":1},"resource":{"r":1},"scope":{"s":1}}\n',
    )
  })

  it('writes nothing for no events', () => {
    expect(encodeLines([]).length).toBe(0)
  })

  it('gives every hard value back through decodeLine, one line each', () => {
    const records = [...hardRecords().values()]
    const text = encodeLines(records).toString()
    const lines = text.split('\n')
    expect(lines.pop()).toBe('')
    expect(lines).toHaveLength(records.length)
    // Decoded records have one spelling; written again they are the same lines.
    const again = encodeLines(lines.map((line) => decodeLine(line)))
    expect(
      encodeLines(
        again
          .toString()
          .trimEnd()
          .split('\n')
          .map((line) => decodeLine(line)),
      ),
    ).toEqual(again)
  })

  it('writes an event alike, whatever events came before it', () => {
    const origins = [
      null,
      { resource: Buffer.from('{"r":1}'), scope: null },
      { resource: Buffer.from('{"r":2}'), scope: Buffer.from('{"s":1}') },
    ]
    const anyRecord = fc
      .record({
        eventType: fc.constantFrom('a', 'b', 'ä"'),
        sessionId: fc.constantFrom('', 's', 'ß'),
        workflowId: fc.constantFrom(null, 'w'),
        phaseId: fc.constantFrom(null, 'p'),
        milestoneId: fc.constantFrom(null, 'm'),
        origin: fc.constantFrom(...origins),
        attributes: fc.constantFrom(null, Buffer.from('{"a":1}')),
      })
      .map((fields) => sampleRecord(fields))
    fc.assert(
      fc.property(fc.array(anyRecord), (records) => {
        expect(encodeLines(records)).toEqual(Buffer.concat(records.map((record) => encodeLines([record]))))
      }),
    )
  })

  it('keeps lines as they are while others are written', () => {
    const lines = encodeLines([sampleRecord()])
    const text = lines.toString()
    encodeLines([sampleRecord({ sessionId: 'another' })])
    expect(lines.toString()).toBe(text)
  })

  it('gives any event back', () => {
    const name = fc.string({ unit: 'binary', maxLength: 512 })
    const optional = fc.option(name)
    const anyEvent = fc.record({
      event_id: fc.uuid(),
      event_type: fc.string({ unit: 'binary', minLength: 1, maxLength: 512 }),
      session_id: name,
      workflow_id: optional,
      phase_id: optional,
      milestone_id: optional,
      data: fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ noUnicodeString: false })),
      timestamp: fc.integer({ min: 1, max: 7_000_000_000 }),
      severity: fc.option(fc.integer({ min: 1, max: 24 })),
      attributes: fc.option(fc.dictionary(fc.string(), fc.jsonValue())),
      resource: fc.option(fc.dictionary(fc.string(), fc.jsonValue())),
    })
    fc.assert(
      fc.property(anyEvent, (event) => {
        const record = decodeEvent(event)
        const line = encodeLines([record]).toString()
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(toHookEvent(decodeLine(line))).toEqual(toHookEvent(record))
      }),
    )
  })
})

describe('decodeLine', () => {
  it('reads an older flat line: its own keys are data, its session is empty, its id derived from the line', () => {
    const line =
      '{"timestamp":"2025-01-02T03:04:05.678901","event_type":"hook_decision","handler":"guard",' +
      '"tool_name":"Bash","decision":"deny","severity":"high","scope":"turn","attributes":[1]}'
    const event = toHookEvent(decodeLine(line))
    expect(event).toMatchObject({
      eventId: uuidFromText(line),
      eventType: 'hook_decision',
      sessionId: '',
      data: {
        handler: 'guard',
        tool_name: 'Bash',
        decision: 'deny',
        severity: 'high',
        scope: 'turn',
        attributes: [1],
      },
      timestampMicros: Date.UTC(2025, 0, 2, 3, 4, 5) * 1000 + 678_901,
      severity: null,
      attributes: null,
    })
    expect(decodeLine(`${line}\r\n`).eventId).toBe(event.eventId)
  })

  it('keeps ids that an older flat line has', () => {
    const event = decodeLine(
      '{"event_type":"custom","session_id":"s","workflow_id":"w","event_id":"e1","x":1}',
    )
    expect(toHookEvent(event)).toMatchObject({ sessionId: 's', workflowId: 'w', data: { x: 1 } })
    expect(event.eventId).toBe(uuidFromText('e1'))
  })

  it('moves unknown keys of a line with data to its data, where data wins', () => {
    const line = '{"event_type":"custom","session_id":"s","data":{"a":1},"a":2,"b":3,"severity":9}'
    expect(toHookEvent(decodeLine(line))).toMatchObject({ data: { a: 1, b: 3 }, severity: 9 })
    expect(toHookEvent(decodeLine('{"event_type":"custom","data":null,"b":3}')).data).toEqual({ b: 3 })
  })

  it('gives a line without a time the time it is told', () => {
    expect(decodeLine('{"event_type":"custom","event_id":""}', 42)).toEqual(
      decodeLine('{"event_type":"custom","event_id":""}', 42),
    )
    expect(decodeLine('{"event_type":"custom"}', 42).timestampMicros).toBe(42)
  })

  it('keeps the digits of large integers', () => {
    const line =
      '{"event_type":"custom","data":{"n":12345678901234567890},"timestamp":"2026-01-01T00:00:00Z"}'
    expect(Buffer.from(decodeLine(line).data).toString()).toBe('{"n":12345678901234567890}')
  })

  it.each([
    ['', SyntaxError, /JSON/],
    ['{"event_type":"cus', SyntaxError, /JSON/],
    ['[]', InvalidEventError, /must be a JSON object/],
    ['{}', InvalidEventError, /event_type: is required/],
    [
      '{"event_type":"custom","data":"text","x":1}',
      InvalidEventError,
      /data: must be an object, not a string/,
    ],
    [
      '{"event_type":"custom","session_id":5,"x":1}',
      InvalidEventError,
      /session_id: must be a string, not a number/,
    ],
  ])('refuses %j', (line, type, message) => {
    expect(() => decodeLine(line)).toThrow(type)
    expect(() => decodeLine(line)).toThrow(message)
  })
})
