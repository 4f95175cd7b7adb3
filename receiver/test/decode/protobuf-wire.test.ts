import { MAX_JSON_DEPTH, TOO_DEEP, toHookEvent } from '@agentic-hooks/events'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Budget } from '../../src/decode/budget.ts'
import { TooManyRecordsError, UndecodableError } from '../../src/decode/decoded-request.ts'
import { decodeOtlpJson } from '../../src/decode/otlp-json.ts'
import { decodeOtlpProtobuf } from '../../src/decode/otlp-protobuf.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

/** A length-delimited field. */
function field(number: number, ...content: (Uint8Array | string)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part as string)))
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

const string = (text: Uint8Array | string) => field(1, text)
const int = (value: number) => Buffer.concat([Buffer.from([0x18]), varint(value)])
const array = (...values: Buffer[]) => field(5, ...values.map((value) => field(1, value)))
const map = (...entries: Buffer[]) => field(6, ...entries.map((entry) => field(1, entry)))
const entry = (key: Uint8Array | string, ...values: Buffer[]) =>
  Buffer.concat([field(1, key), ...values.map((value) => field(2, value))])
const attribute = (key: Uint8Array | string, ...values: Buffer[]) => field(6, entry(key, ...values))
const request = (...recordFields: Buffer[]) => field(1, field(2, field(2, ...recordFields)))

function decode(body: Uint8Array) {
  const { batch } = decodeOtlpProtobuf(body, RECEIVED_AT_MICROS)
  return batch.events.map(toHookEvent)
}

/** The value that an attribute of these parts has. */
function partsAsValue(...parts: Buffer[]): unknown {
  return decode(request(attribute('a', ...parts)))[0]!.data.a
}

describe('a message in parts', () => {
  it('joins lists and maps', () => {
    expect(partsAsValue(array(int(1)), array(int(2)))).toEqual([1, 2])
    expect(partsAsValue(Buffer.concat([array(int(1)), array(), array(int(2))]))).toEqual([1, 2])
    expect(partsAsValue(map(entry('x', int(1))), map(), map(entry('y', int(2))))).toEqual({ x: 1, y: 2 })
    expect(partsAsValue(map(), map())).toEqual({})
  })

  it('has the last member of a oneof', () => {
    expect(partsAsValue(array(int(1)), string('text'))).toBe('text')
    expect(partsAsValue(Buffer.concat([string('text'), int(7)]))).toBe(7)
    expect(partsAsValue(array(int(1)), string('text'), array(int(2)))).toEqual([2])
    expect(partsAsValue(map(entry('x', int(1))), array(int(2)))).toEqual([2])
    expect(partsAsValue(string('text'), Buffer.alloc(0))).toBe('text')
  })

  it('is read the same however a map is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.nat()), { maxLength: 8 }), fc.nat(8), (members, cut) => {
        const entries = members.map(([key, value]) => entry(key, int(value)))
        const whole = request(attribute('agentic_hooks.data', map(...entries)))
        const parts = [map(...entries.slice(0, cut)), map(...entries.slice(cut))]
        for (const cutUp of [parts, [Buffer.concat(parts)]]) {
          const [event] = decode(request(attribute('agentic_hooks.data', ...cutUp)))
          expect(event!.data).toEqual(decode(whole)[0]!.data)
        }
      }),
    )
  })

  it('joins a resource, a scope and a body', () => {
    const body = field(
      1,
      field(1, field(1, entry('r', int(1)))),
      field(2, field(1, field(1, 'first')), field(2, field(5, array(int(1))), field(5, array(int(2))))),
      field(1, field(1, entry('q', int(2)))),
    )
    const named = Buffer.from(body)
    expect(decode(named)).toMatchObject([
      { data: { body: [1, 2] }, resource: { r: 1, q: 2 }, scope: { name: 'first' } },
    ])
  })

  it('counts as a hook event only when its last value is a map', () => {
    const data = 'agentic_hooks.data'
    expect(decode(request(attribute(data, map(entry('x', int(1))), string('no'))))[0]!.data).toEqual({
      [data]: 'no',
    })
    expect(decode(request(attribute(data, string('no'), map(entry('x', int(1))))))[0]!.data).toEqual({ x: 1 })
  })
})

describe('fields', () => {
  it('come in any order', () => {
    const value = field(2, string('text'))
    const backwards = field(6, value, field(1, 'a'))
    expect(decode(request(field(12, 'named'), backwards))).toMatchObject([
      { eventType: 'named', data: { a: 'text' } },
    ])
    const resourceLast = field(
      1,
      field(2, field(2, attribute('a', int(1)))),
      field(1, field(1, entry('r', int(2)))),
    )
    expect(decode(resourceLast)).toMatchObject([{ data: { a: 1 }, resource: { r: 2 } }])
  })

  it('that nobody knows are skipped, groups included', () => {
    const group = Buffer.from([0xa3, 0x06, 0x08, 0x01, 0xab, 0x06, 0xac, 0x06, 0xa4, 0x06])
    const unknown = Buffer.concat([group, Buffer.from([0xa0, 0x06, 0x01]), field(100, 'x')])
    expect(decode(request(unknown, attribute('a', Buffer.concat([unknown, int(1)]), unknown)))).toMatchObject(
      [{ data: { a: 1 } }],
    )
  })

  it.each([
    ['a time as a varint', Buffer.from([0x08, 0x01])],
    ['an attribute as a varint', Buffer.from([0x30, 0x01])],
    ['a text as a varint', attribute('session.id', Buffer.from([0x08, 0x01]))],
    ['a key as a varint', field(6, Buffer.from([0x08, 0x01]))],
  ])('with the wrong wire type are refused: %s', (_name, bytes) => {
    expect(() => decode(request(bytes))).toThrow(UndecodableError)
  })

  it('name the event, without our prefix', () => {
    const typeOf = (name: string) => decode(request(field(12, name)))[0]!.eventType
    expect(typeOf('agentic_hooks.tool_blocked')).toBe('tool_blocked')
    expect(typeOf('browser.page_view')).toBe('browser.page_view')
    expect(typeOf('agentic_hooks.')).toBe('agentic_hooks.')
    expect(typeOf('')).toBe('log')
  })
})

it('reads any bytes of a string as TextDecoder does, as value, key and name', () => {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 80 }).map((text) => new Uint8Array(Buffer.from(text))),
    fc
      .array(fc.constantFrom(0x00, 0x22, 0x5c, 0x61, 0x80, 0xc3, 0xe2, 0xed, 0xf0, 0xf4, 0xff))
      .map((list) => Uint8Array.from(list)),
  )
  fc.assert(
    fc.property(bytes, (sent) => {
      const text = decoder.decode(sent).replaceAll('\0', '\uFFFD')
      const [event] = decode(
        request(
          attribute('workflow', string(sent)),
          attribute(Buffer.concat([Buffer.from('k'), sent]), int(1)),
        ),
      )
      expect(event!.data).toEqual({ workflow: text, [`k${text}`]: 1 })
      // Twice, so that the second comes from the cache of names.
      for (const _ of [1, 2]) {
        const [named] = decode(request(attribute('agentic_hooks.workflow.id', string(sent.subarray(0, 100)))))
        expect(named!.workflowId).toBe(decoder.decode(sent.subarray(0, 100)).replaceAll('\0', '\uFFFD'))
      }
    }),
    { numRuns: 3_000 },
  )
})

it('truncates any time to microseconds exactly, in both encodings', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1000n, max: 2n ** 64n - 1n }), (nanos) => {
      const time = Buffer.alloc(9, 0x09)
      time.writeBigUInt64LE(nanos, 1)
      const json = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"${nanos}"}]}]}]}`
      const isStorable = nanos / 1000n <= BigInt(Number.MAX_SAFE_INTEGER)
      for (const { batch, rejected } of [
        decodeOtlpProtobuf(request(time), RECEIVED_AT_MICROS),
        decodeOtlpJson(Buffer.from(json), RECEIVED_AT_MICROS),
      ]) {
        expect(rejected).toHaveLength(isStorable ? 0 : 1)
        if (isStorable) expect(BigInt(batch.events[0]!.timestampMicros)).toBe(nanos / 1000n)
      }
    }),
    { numRuns: 20_000 },
  )
})

/** An AnyValue in so many others, put together from the inside without copying it at every level. */
function nested(levels: number, ...opening: (readonly number[])[]): Buffer {
  const parts = [string('x')]
  let size = parts[0]!.length
  for (let level = 0; level < levels; level++) {
    for (const bytes of opening) {
      const header = Buffer.concat([Buffer.from(bytes), varint(size)])
      parts.push(header)
      size += header.length
    }
  }
  return Buffer.concat(parts.reverse())
}

it.each([
  // From the inside: the value of an entry after its key, the entry, the list.
  ['maps', [[0x0a, 0x01, 0x61, 0x12], [0x0a], [0x32]]],
  ['arrays', [[0x0a], [0x2a]]],
])('cuts %s that are nested deeper than is stored, and survives 100,000 levels', (_name, opening) => {
  const body = request(attribute('a', nested(100_000, ...opening)))
  const [record] = decodeOtlpProtobuf(body, RECEIVED_AT_MICROS).batch.events
  const json = Buffer.from(record!.data).toString()
  expect(json).toContain(TOO_DEEP)
  expect(json.replace(TOO_DEEP, '').match(/[[{]/g)).toHaveLength(MAX_JSON_DEPTH)
  expect(() => JSON.parse(json)).not.toThrow()
})

it('keeps an attribute that only looks like a copy of the data', () => {
  const kept = (name: Buffer, ...members: Buffer[]) =>
    decode(request(attribute('agentic_hooks.data', map(...members)), attribute('gen_ai.tool.name', name)))[0]!
      .attributes
  expect(kept(string('Bash'), entry('tool_name', string('Bash')))).toBeNull()
  expect(kept(string('Bash'), entry('tool_name', string('Read')))).toEqual({ 'gen_ai.tool.name': 'Bash' })
  expect(kept(string('Bash'), entry('x', map(entry('tool_name', string('Bash')))))).toEqual({
    'gen_ai.tool.name': 'Bash',
  })
  expect(kept(string(''))).toEqual({ 'gen_ai.tool.name': '' })
})

it('gives a record without an id the same id when the request comes again, and another in another request', () => {
  const ids = (body: Buffer) => decode(body).map(({ eventId }) => eventId)
  const two = field(1, field(2, field(2), field(2)))
  expect(ids(two)).toEqual(ids(Buffer.from(two)))
  expect(new Set([...ids(two), ...ids(request())]).size).toBe(3)
})

it('keeps what it decoded when the request is overwritten', () => {
  const body = request(attribute('agentic_hooks.data', map(entry('k', string('kept')))))
  const { batch } = decodeOtlpProtobuf(body, RECEIVED_AT_MICROS)
  body.fill(0)
  expect(toHookEvent(batch.events[0]!).data).toEqual({ k: 'kept' })
})

it('refuses more records than allowed, in both encodings, by an error of its own', () => {
  const body = field(1, field(2, field(2), field(2), field(2)))
  const json = Buffer.from('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{},{}]}]}]}')
  const two = (body: Buffer) => Budget.of(body, { maxRecords: 2 })
  expect(() => decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, two(body))).toThrow(TooManyRecordsError)
  expect(() => decodeOtlpJson(json, RECEIVED_AT_MICROS, two(json))).toThrow(TooManyRecordsError)
  const three = Budget.of(body, { maxRecords: 3 })
  expect(decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, three).batch.events).toHaveLength(3)
})

it.each([
  ['{"key":"a","value":{"stringValue":"x","intValue":1}}', 'attributes[0].value must have one value'],
  [
    '{"key":"a","value":{"arrayValue":{"values":[{},{"boolValue":1}]}}}',
    'values[1].boolValue must be true or false',
  ],
])('names the place of a wrong attribute of OTLP JSON: %s', (json, message) => {
  const body = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[${json}]}]}]}]}`
  expect(() => decodeOtlpJson(Buffer.from(body), RECEIVED_AT_MICROS)).toThrow(message)
})

it('never repeats the body in an error', () => {
  for (const body of ['{"secret":nan}', `{"secret":${'"x",'.repeat(50)}`, 'secret', '{"secret"']) {
    expect(() => decodeOtlpJson(Buffer.from(body), RECEIVED_AT_MICROS)).toThrow(
      /^(?!.*secret)the body is not JSON/s,
    )
  }
})
