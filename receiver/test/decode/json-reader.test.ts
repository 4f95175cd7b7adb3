import { readFileSync } from 'node:fs'
import { encodeLines, toHookEvent } from '@agentic-hooks/events'
import { Random } from '@agentic-hooks/testing/random'
import { describe, expect, it } from 'vitest'
import { compare, fuzzJson } from '../../../system-tests/fuzz/json.ts'
import { jsonDocument } from '../../../system-tests/fuzz/json-documents.ts'
import { Budget } from '../../src/decode/budget.ts'
import { TooManyValuesError, UndecodableError } from '../../src/decode/decoded-request.ts'
import { DecoderMemory } from '../../src/decode/decoder-memory.ts'
import { decodeOtlpJson } from '../../src/decode/otlp-json.ts'
import { decodeRestBatch, decodeRestEvent, readRestEvent } from '../../src/decode/rest.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000

function eventWith(data: string): Buffer {
  return Buffer.from(`{"event_type":"t","session_id":"s","data":${data}}`)
}

/** What is stored of `data`. */
function storedOf(data: string | Buffer): string {
  const body = Buffer.concat([
    Buffer.from('{"event_type":"t","session_id":"s","data":'),
    Buffer.from(data),
    Buffer.from('}'),
  ])
  return Buffer.from(decodeRestEvent(body, RECEIVED_AT_MICROS).batch.events[0]!.data).toString()
}

function millisOf(work: () => void): number {
  const startedAt = performance.now()
  work()
  return performance.now() - startedAt
}

describe('a payload', () => {
  it.each([
    [
      'as it is, when it is written as it is stored',
      '{"a":[1,"x",true,null,{"b":{}}],"c":"\\n\\"\\\\"}',
      null,
    ],
    ['without the space between its tokens', ' { "a" :\t[ 1 ,\r\n2 ] } ', '{"a":[1,2]}'],
    ['with characters in place of their escapes', '{"\\u0061":"\\u00e9\\/\\ud83d\\ude00"}', '{"a":"é/😀"}'],
    [
      'with U+FFFD for NUL and lone surrogates',
      '{"a":"\\u0000\\ud800x\\udc00\\ud83d\\ud83d\\ude00"}',
      '{"a":"\uFFFD\uFFFDx\uFFFD\uFFFD😀"}',
    ],
    [
      'with escapes for control characters',
      '{"a":"\\u0001\\u001f\\u0008\\u0022\\u005c"}',
      '{"a":"\\u0001\\u001f\\b\\"\\\\"}',
    ],
    [
      'with integers of any length as they are written',
      '{"a":12345678901234567890123,"b":-9007199254740993}',
      null,
    ],
    ['with 0 for -0', '{"a":[-0,-0.0,-0e9,0.0e1]}', '{"a":[0,0,0,0.0e1]}'],
    [
      'with names for what is not finite',
      '{"a":[NaN,Infinity,-Infinity]}',
      '{"a":["NaN","Infinity","-Infinity"]}',
    ],
    [
      'with a name for what is beyond a double',
      '{"a":[1e400,-1e400,1.7976931348623159e308]}',
      '{"a":["Infinity","-Infinity","Infinity"]}',
    ],
    ['with 0 for what is less than any double', '{"a":[1e-400,-1e-99999999999999999999]}', '{"a":[0,0]}'],
    ['with the greatest double', '{"a":1.7976931348623157e308}', null],
    ['with both members of one key, of which the last counts', '{"a":1,"\\u0061":2}', '{"a":1,"a":2}'],
    ['with __proto__ as a key like any other', '{"__proto__":{"constructor":1}}', null],
    ['empty', '{}', null],
  ])('is stored %s', (_, data, stored) => {
    expect(storedOf(data)).toBe(stored ?? data)
  })

  it('has U+FFFD for each part of a text that is no UTF-8, as a decoder of the web has', () => {
    const text = Buffer.from([
      0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0xf0, 0x9f, 0x98, 0xed, 0xa0, 0x80, 0xc0, 0xaf, 0x62,
    ])
    const data = Buffer.concat([Buffer.from('{"a":"'), text, Buffer.from('"}')])
    expect(JSON.parse(storedOf(data)).a).toBe(new TextDecoder().decode(text))
  })

  it('is the same however long its texts are', () => {
    for (let length = 0; length < 70; length++) {
      for (const special of ['', '\\n', '\\u00e9', 'é', '\\"']) {
        const text = 'x'.repeat(length) + special + 'y'.repeat(70 - length)
        expect(compare(`["${text}",{"${text}":"${text}"}]`)).toBe(null)
      }
    }
  })

  it('keeps 1,024 levels and names what lies deeper, of arrays and objects, plain and not', () => {
    const nested = (levels: number, space: string) =>
      `{"a":${`[${space}`.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    expect(storedOf(nested(1024, ''))).toBe(nested(1024, ''))
    expect(storedOf(nested(1024, ' '))).toBe(nested(1024, ''))
    for (const space of ['', ' ']) {
      expect(storedOf(nested(1025, space))).toBe(nested(1024, '').replace('[]', '["[nested too deep]"]'))
      expect(storedOf(nested(100_000, space))).toBe(nested(1024, '').replace('[]', '["[nested too deep]"]'))
    }
    const objects = `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`
    expect(storedOf(objects)).toBe(`${'{"a":'.repeat(1024)}"[nested too deep]"${'}'.repeat(1024)}`)
  })
})

describe('a number', () => {
  it('is the same double as the one that was sent, however it is spelled', () => {
    const random = new Random(1)
    const digits = (most: number) =>
      Array.from({ length: random.between(1, most) }, () => random.between(0, 9)).join('')
    for (let index = 0; index < 5_000; index++) {
      const sent = `${random.pick(['', '-'])}${BigInt(digits(40))}.${digits(900)}e${random.between(-700, 400)}`
      const stored = JSON.parse(storedOf(`{"a":${sent}}`)).a
      const number = Number(sent)
      const expected = Number.isFinite(number) ? number || 0 : String(number)
      expect(stored, sent).toBe(expected)
    }
  })

  it('is never so long that PostgreSQL refuses it', () => {
    for (const sent of [
      `0.${'0'.repeat(20_000)}1`,
      `1.${'7'.repeat(20_000)}`,
      `0.${'0'.repeat(20_000)}1e20001`,
    ]) {
      const stored = storedOf(`{"a":${sent}}`)
      expect(stored.length).toBeLessThan(1000)
      expect(JSON.parse(stored).a).toBe(Number(sent))
    }
  })
})

describe('what is no JSON', () => {
  it.each([
    ['{"a":1,}', 'expected a key in double quotes at byte 7, found "}"'],
    ['[1 2]', 'expected a comma or ] at byte 3, found "2"'],
    ['{"a" 1}', 'expected a colon at byte 5, found "1"'],
    ['{"a":01}', 'expected no digit behind a leading 0 at byte 6, found "1"'],
    ['{"a":-}', 'expected a digit at byte 6, found "}"'],
    ['["a\tb"]', 'expected an escape for a control character at byte 3, found "\\t"'],
    ['["\\x"]', 'expected one of the escapes of JSON at byte 2, found "\\\\"'],
    ['["\\u12g4"]', 'expected four hexadecimal digits after \\u at byte 6, found "g"'],
    ['["abc', 'expected a closing quote at byte 5, found the end'],
    ['[1', 'expected a comma or ] at byte 2, found the end'],
    ['', 'expected a value at byte 0, found the end'],
    ['{} {}', 'expected the end at byte 3, found "{"'],
    ['[nan]', 'expected a value at byte 1, found "n"'],
    ['\uFEFF\uFEFF{}', 'expected a value at byte 3, found "\u00ef"'],
    ['[1]]', 'expected the end at byte 3, found "]"'],
    ['{"a":1]', 'expected a comma or } at byte 6, found "]"'],
  ])('is refused with the place: %j', (json, message) => {
    expect(() => decodeRestBatch(Buffer.from(json), RECEIVED_AT_MICROS)).toThrow(UndecodableError)
    expect(() => decodeRestBatch(Buffer.from(json), RECEIVED_AT_MICROS)).toThrow(
      `the body is not JSON: ${message}`,
    )
  })
})

describe('reading in steps', () => {
  const documents = [
    '{"event_type":"t","session_id":"s\\u0041é😀","data":{ "a" : [1, -2.5e3, "x\\n", true,null,{}],"b":NaN}}',
    readFileSync(new URL('../../fixtures/otlp/logs.json', import.meta.url), 'utf8').replace(/\s+/g, ' '),
    `["${'é\\u00e9'.repeat(40)}",-12345678901234567890.5,[[[[]]]],"${'z'.repeat(60)}"]`,
  ]

  /** What WebAssembly knows of a text that it reads in pieces. */
  function tapeOf(text: Buffer, pieces: readonly number[]): string {
    const memory = DecoderMemory.take(text.byteLength)
    const { exports } = memory
    memory.beginJson({ chunks: [text], byteLength: text.byteLength }, Budget.of(text))
    memory.readJson()
    exports.beginScan(memory.free, memory.free + text.byteLength, 1_000_000, 2 ** 24)
    for (const bytes of pieces) exports.scan(bytes)
    expect(exports.scan(2 ** 30)).toBe(1)
    const tape = memory.bytes.toString('hex', exports.root(), exports.tapeEnd())
    DecoderMemory.giveBack(memory)
    return tape
  }

  it.each(documents)('gives the same wherever it stops: %.40s', (document) => {
    const text = Buffer.from(document)
    const whole = tapeOf(text, [])
    for (let bytes = 1; bytes < text.byteLength; bytes++) {
      expect(tapeOf(text, [bytes])).toBe(whole)
      expect(tapeOf(text, [bytes, 1, 1])).toBe(whole)
    }
    expect(tapeOf(text, new Array(text.byteLength).fill(1))).toBe(whole)
  })

  it('stops in the middle of a long text, and gives what it gives at once', () => {
    const body = eventWith(`{"a":"${'\\u0041'.repeat(300_000)}","b":[${'1,'.repeat(300_000)}1]}`)
    let steps = 0
    const decoding = readRestEvent(
      { chunks: [body], byteLength: body.byteLength },
      RECEIVED_AT_MICROS,
      Budget.of(body),
    )
    let step = decoding.next()
    for (; !step.done; step = decoding.next()) {
      steps++
      // Others use memory of their own meanwhile.
      expect(storedOf('{"other":1}')).toBe('{"other":1}')
    }
    expect(steps).toBeGreaterThan(2)
    const { a, b } = toHookEvent(step.value.batch.events[0]!).data as { a: string; b: number[] }
    expect([a === 'A'.repeat(300_000), b.length]).toEqual([true, 300_001])
  })
})

describe('hostile JSON', () => {
  const CASES: [string, (length: number) => string][] = [
    ['tildes beside an escaped key', (n) => `{"k\\n":1,"t":"${'~'.repeat(n * 8)}"}`],
    ['escaped keys', (n) => `{"a":[${'{"\\n":1},'.repeat(n)}0]}`],
    [
      'distinct escaped keys',
      (n) => `{${Array.from({ length: n }, (_, index) => `"\\n${index}":1,`).join('')}"k":1}`,
    ],
    ['one key again and again', (n) => `{${'"k":1,'.repeat(n)}"k":1}`],
    ['one integer of 20 digits among ones', (n) => `{"b":12345678901234567890,"a":[${'1,'.repeat(n)}1]}`],
    ['numbers with exponents', (n) => `{"a":[${'1e300,'.repeat(n)}1]}`],
    ['numbers that round to infinity', (n) => `{"a":[${'1e308,1.7976931348623158e308,'.repeat(n / 4)}1]}`],
    ['brackets', (n) => `{"a":${'['.repeat(n)}${']'.repeat(n)}}`],
    ['a number of many digits', (n) => `{"a":${'7'.repeat(n * 8)}}`],
    ['space', (n) => `{"a":${' '.repeat(n * 8)}1}`],
    ['characters beyond ASCII', (n) => `{"a":"${'\uFFFD'.repeat(n * 2)}"}`],
  ]
  const LENGTH = 200_000

  it.each(CASES)('takes time in proportion to its length: %s', (_, of) => {
    const [once, twice] = [eventWith(of(LENGTH)), eventWith(of(2 * LENGTH))]
    const read = (body: Buffer) =>
      decodeRestEvent(
        body,
        RECEIVED_AT_MICROS,
        Budget.of(body, { maxJsonValues: 1e9, maxEventBytes: 2 ** 30 }),
      )
    read(once)
    const onceMillis = millisOf(() => read(once))
    expect(millisOf(() => read(twice))).toBeLessThan(4 * onceMillis + 500)
  })

  it('is refused when it has more values than are allowed', () => {
    const body = eventWith(`{"a":[${'1,'.repeat(999)}1]}`)
    const read = (maxJsonValues: number) =>
      decodeRestEvent(body, RECEIVED_AT_MICROS, Budget.of(body, { maxJsonValues }))
    expect(read(1100).batch.events).toHaveLength(1)
    expect(() => read(900)).toThrow(TooManyValuesError)
  })

  it('does not count commas and brackets inside of texts', () => {
    const body = eventWith(`{"a":"${',[{'.repeat(10_000)}"}`)
    expect(
      decodeRestEvent(body, RECEIVED_AT_MICROS, Budget.of(body, { maxJsonValues: 10 })).batch.events,
    ).toHaveLength(1)
  })

  it('says of an event what is too large about it', () => {
    const limits = { maxEventBytes: 1000 }
    const body = Buffer.from(
      `[{"event_type":"t","session_id":"s"},{"event_type":"t","session_id":"s","data":{"a":"${'x'.repeat(1000)}"}}]`,
    )
    const { batch, rejected } = decodeRestBatch(body, RECEIVED_AT_MICROS, Budget.of(body, limits))
    expect(batch.events).toHaveLength(1)
    expect(rejected[0]!.reason).toMatch(/^1: is larger than 1000 bytes/)
  })
})

describe('names that recur', () => {
  const event = (session: string) => ({ event_type: 'tool_used', session_id: session, data: {} })

  it('are not mixed up when a request ends in the middle', () => {
    const read = (events: unknown, limits = {}) => {
      const body = Buffer.from(JSON.stringify(events))
      return decodeRestBatch(body, RECEIVED_AT_MICROS, Budget.of(body, limits)).batch.events
    }
    for (let index = 0; index < 20; index++) {
      const sessions = [`first-${index}`, `second-${index}`, `third-${index}`]
      expect(() => read(sessions.map(event), { maxRecords: 1 })).toThrow()
      const long = { ...event(sessions[1]!), data: { a: '\uFFFD'.repeat(10_000), 'b\u0000': 1 } }
      expect(read([event(sessions[0]!), long, event(sessions[2]!)], { maxEventBytes: 2000 })).toHaveLength(2)
      expect(read(sessions.map(event)).map(({ sessionId }) => sessionId)).toEqual(sessions)
    }
  })
})

describe('OTLP JSON', () => {
  const logsOf = (attributes: string) =>
    Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[${attributes}]}]}]}]}`)
  const dataOf = (attributes: string) =>
    Buffer.from(decodeOtlpJson(logsOf(attributes), RECEIVED_AT_MICROS).batch.events[0]!.data).toString()

  it.each([
    ['{"key":"a","value":{"stringValue":"x"}}', '{"a":"x"}'],
    ['{ "key" : "a" , "value" : { "stringValue" : "x" } }', '{"a":"x"}'],
    ['{"value":{"stringValue":"x"},"key":"a"}', '{"a":"x"}'],
    ['{"\\u006bey":"\\u0061","valu\\u0065":{"string\\u0056alue":"\\u0078"}}', '{"a":"x"}'],
    ['{"key":"a","key":"b","value":{"stringValue":"x"}}', '{"b":"x"}'],
    ['{"key":"a","value":{"stringValue":"x","stringValue":"y"}}', '{"a":"y"}'],
    ['{"key":"a","value":{"intValue":1,"stringValue":"y","intValue":null}}', '{"a":"y"}'],
    ['{"key":"a","value":{"stringValue":"é\\n😀\\u0000"}}', '{"a":"é\\n😀\uFFFD"}'],
    ['{"key":"a","value":{}}', '{"a":null}'],
    ['{"key":"a","value":null}', '{"a":null}'],
    ['{"key":"a"}', '{"a":null}'],
    ['{"value":{"boolValue":false}}', '{"":false}'],
    [
      '{"key":"__proto__","value":{"kvlistValue":{"values":[{"key":"constructor","value":{"intValue":"7"}}]}}}',
      '{"__proto__":{"constructor":7}}',
    ],
    [
      '{"key":"a","value":{"arrayValue":{"values":[{"intValue":"-007"},{"doubleValue":"1.50"},{"doubleValue":"-0"},{"doubleValue":"NaN"}]}}}',
      '{"a":[-7,1.50,0,"NaN"]}',
    ],
    ['{"key":"a","value":{"arrayValue":{}}}', '{"a":[]}'],
    ['{"key":"a","value":{"kvlistValue":{"values":null}}}', '{"a":{}}'],
    ['{"key":"a","value":{"bytesValue":"_-A"}}', '{"a":"/+A="}'],
    ['{"key":"a","value":{"bytesValue":"AQL\\/"}}', '{"a":"AQL/"}'],
    ['{"key":"a","unknown":[{}],"value":{"stringValue":"x","more":{}}}', '{"a":"x"}'],
  ])('reads the attribute %s', (attribute, data) => {
    expect(dataOf(attribute)).toBe(data)
  })

  it('reads ids of every kind', () => {
    const idsOf = (traceId: string, spanId: string) => {
      const record = `{"traceId":"${traceId}","spanId":"${spanId}"}`
      const body = Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${record}]}]}]}`)
      const [event] = decodeOtlpJson(body, RECEIVED_AT_MICROS).batch.events
      return [event!.traceId, event!.spanId]
    }
    const trace = '5b8efff798038103d269b633813fc60c'
    const span = 'eee19b7ec3c1b174'
    const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')
    expect(idsOf(trace.toUpperCase(), span)).toEqual([trace, span])
    expect(idsOf(base64(trace), base64(span))).toEqual([trace, span])
    expect(idsOf('0'.repeat(32), '0'.repeat(16))).toEqual([null, null])
    expect(idsOf('5b8e', '')).toEqual([null, null])
  })
})

it('reads a thousand documents as parsers of JavaScript objects do', () => {
  expect(fuzzJson({ seed: 7, bodies: 1000 }).failures).toEqual([])
})

it('writes lines that can be read back', () => {
  const random = new Random(3)
  let read = 0
  for (let index = 0; index < 300; index++) {
    let events: ReturnType<typeof decodeRestEvent>['batch']['events']
    try {
      events = decodeRestEvent(eventWith(`{"v":${jsonDocument(random)}}`), RECEIVED_AT_MICROS).batch.events
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error
      continue
    }
    const lines = encodeLines(events).toString().trimEnd().split('\n')
    expect(lines).toHaveLength(1)
    expect(() => JSON.parse(lines[0]!)).not.toThrow()
    read++
  }
  expect(read).toBeGreaterThan(200)
})
