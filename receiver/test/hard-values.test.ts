import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeLine, type EventRecord, parseJson, TOO_DEEP, uuidv7 } from '@agentic-hooks/events'
import { HookClient } from '@agentic-hooks/instrumentation'
import { type HttpRequest, json, send } from '@agentic-hooks/testing/http'
import { decodeLogsResponse, encodeLogsRequest } from '@agentic-hooks/testing/otlp'
import { type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { storedEvents } from '@agentic-hooks/testing/stored-events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/*
 * The table of docs/guide/values.md, from end to end: each value through every way in that can express it, into both
 * stores at once, and read back past the exporters.
 */

const MEBIBYTE = 2 ** 20
const DEEPEST = 1024
const INVALID_UTF8_MARK = 'INVALID'
const SESSION_ID = 'hard-values'
const TIME_MICROS = 1_795_361_760_123_456

interface HardValue {
  /** JSON as it is stored: the value of `data.value`. */
  readonly stored: string
  /** AnyValue in OTLP's JSON mapping; absent where protobuf alone can express it. */
  readonly otlp?: object
  /** AnyValue for the protobuf encoder, where that is not the same. */
  readonly protobuf?: object
  /** JSON text of the value in a REST body; absent where JSON has no such value. */
  readonly rest?: string
  /** What a program hands to HookClient; absent where JavaScript has no such value. */
  readonly client?: unknown
  /** Where HookClient's way differs: OpenTelemetry's encoders have doubles only. */
  readonly storedFromClient?: string
}

const circular: Record<string, unknown> = { name: 'self' }
circular.self = circular

const textValue = (value: string, stored = value): HardValue => ({
  stored: JSON.stringify(stored),
  otlp: { stringValue: value },
  rest: JSON.stringify(value),
  client: value,
})

const ARRIVING: Readonly<Record<string, HardValue>> = {
  'NUL in text': textValue('a\0b', 'a\uFFFDb'),
  'a lone surrogate': {
    ...textValue('a\uD800b', 'a\uFFFDb'),
    protobuf: { stringValue: 'a\uFFFDb' }, // UTF-8 has none; encoders replace it.
  },
  'invalid UTF-8': {
    stored: '"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"',
    protobuf: { stringValue: INVALID_UTF8_MARK },
  },
  'tab, newline, backslash, quote, emoji': textValue('\t\r\n\\"/ é 😀 \u2028 \u007f'),
  'control characters': textValue('\u0001\u001f\b\f'),
  'a string of 1 MiB': textValue('x'.repeat(MEBIBYTE)),
  'an empty string': textValue(''),
  'the largest int64': {
    stored: '9223372036854775807',
    otlp: { intValue: '9223372036854775807' },
    rest: '9223372036854775807',
    client: 9223372036854775807n,
    storedFromClient: '"9223372036854775807"',
  },
  'the smallest int64': {
    stored: '-9223372036854775808',
    otlp: { intValue: '-9223372036854775808' },
    rest: '-9223372036854775808',
    client: -9223372036854775808n,
  },
  '2^53 and one': {
    stored: '9007199254740993',
    otlp: { intValue: '9007199254740993' },
    rest: '9007199254740993',
    client: 9007199254740993n,
    storedFromClient: '"9007199254740993"',
  },
  NaN: {
    stored: '"NaN"',
    otlp: { doubleValue: 'NaN' },
    protobuf: { doubleValue: Number.NaN },
    client: Number.NaN,
  },
  Infinity: {
    stored: '"Infinity"',
    otlp: { doubleValue: 'Infinity' },
    protobuf: { doubleValue: Number.POSITIVE_INFINITY },
    rest: '1e400',
    client: Number.POSITIVE_INFINITY,
  },
  '-Infinity': {
    stored: '"-Infinity"',
    otlp: { doubleValue: '-Infinity' },
    protobuf: { doubleValue: Number.NEGATIVE_INFINITY },
    rest: '-1e400',
    client: Number.NEGATIVE_INFINITY,
  },
  '-0': { stored: '0', otlp: { doubleValue: -0 }, rest: '-0', client: -0 },
  'a large double': { stored: '1e+300', otlp: { doubleValue: 1e300 }, rest: '1e300', client: 1e300 },
  'a small fraction': { stored: '5.05', otlp: { doubleValue: 5.05 }, rest: '5.05', client: 5.05 },
  'the smallest double': { stored: '5e-324', otlp: { doubleValue: 5e-324 }, rest: '5e-324', client: 5e-324 },
  bytes: { stored: '"AP+A"', otlp: { bytesValue: 'AP+A' }, client: new Uint8Array([0, 255, 128]) },
  null: { stored: 'null', otlp: {}, rest: 'null', client: null },
  'true and false': {
    stored: '[true,false]',
    otlp: { arrayValue: { values: [{ boolValue: true }, { boolValue: false }] } },
    rest: '[true,false]',
    client: [true, false],
  },
  'an empty key': {
    stored: '{"":1}',
    otlp: { kvlistValue: { values: [{ key: '', value: { intValue: 1 } }] } },
    rest: '{"":1}',
    client: { '': 1 },
  },
  'the key __proto__': {
    stored: '{"__proto__":1}',
    otlp: { kvlistValue: { values: [{ key: '__proto__', value: { intValue: 1 } }] } },
    rest: '{"__proto__":1}',
    client: JSON.parse('{"__proto__":1}'),
  },
  'a key with NUL and a quote': {
    stored: '{"a\uFFFD\\"":1}',
    otlp: { kvlistValue: { values: [{ key: 'a\0"', value: { intValue: 1 } }] } },
    rest: '{"a\\u0000\\"":1}',
    client: { 'a\0"': 1 },
  },
  'a key that occurs twice': {
    stored: '{"a":2}',
    otlp: {
      kvlistValue: {
        values: [
          { key: 'a', value: { intValue: 1 } },
          { key: 'a', value: { intValue: 2 } },
        ],
      },
    },
    rest: '{"a":1,"a":2}',
  },
  'empty objects and arrays': {
    stored: '[{},[]]',
    otlp: { arrayValue: { values: [{ kvlistValue: { values: [] } }, { arrayValue: { values: [] } }] } },
    rest: '[{},[]]',
    client: [{}, []],
  },
  // `data` itself is the first of the levels.
  'nesting as deep as is stored': nested(DEEPEST - 1, '1'),
  'a circular reference': { stored: '{"name":"self","self":"[circular]"}', client: circular },
  'a Date': { stored: '"2026-11-22T15:36:00.000Z"', client: new Date('2026-11-22T15:36:00Z') },
  'a Map and a Set': { stored: '[{"a":1},[2]]', client: [new Map([['a', 1]]), new Set([2])] },
  'undefined, a function and a symbol': {
    stored: '{"kept":1}',
    client: { kept: 1, gone: undefined, call: () => {}, mark: Symbol('mark') },
  },
  'a getter that throws': {
    stored: '{"trap":"[threw: no]"}',
    client: Object.defineProperty({}, 'trap', {
      enumerable: true,
      get() {
        throw new Error('no')
      },
    }),
  },
}

function nested(levels: number, innermost: string): HardValue {
  let otlp: object = { intValue: 1 }
  for (let level = 0; level < levels; level++) otlp = { arrayValue: { values: [otlp] } }
  const array = '['.repeat(levels) + innermost + ']'.repeat(levels)
  return { stored: array, otlp, rest: '['.repeat(levels) + 1 + ']'.repeat(levels) }
}

function logsRequest(value: object, eventId: string): object {
  const attributes = [
    { key: 'event.name', value: { stringValue: 'agentic_hooks.custom' } },
    { key: 'session.id', value: { stringValue: SESSION_ID } },
    { key: 'log.record.uid', value: { stringValue: eventId } },
    { key: 'agentic_hooks.data', value: { kvlistValue: { values: [{ key: 'value', value }] } } },
  ]
  const logRecords = [{ timeUnixNano: `${TIME_MICROS}789`, attributes }]
  return { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** How each way in sends a value; null where it cannot express it. */
const REQUESTS: Readonly<Record<string, (value: HardValue, eventId: string) => HttpRequest | null>> = {
  'OTLP protobuf': ({ otlp, protobuf = otlp }, eventId) =>
    protobuf
      ? {
          path: '/v1/logs',
          headers: { 'content-type': 'application/x-protobuf' },
          body: withInvalidUtf8(encodeLogsRequest(logsRequest(protobuf, eventId))),
        }
      : null,
  'OTLP JSON': ({ otlp }, eventId) =>
    otlp ? { path: '/v1/logs', headers: JSON_TYPE, body: JSON.stringify(logsRequest(otlp, eventId)) } : null,
  'REST single': ({ rest }, eventId) =>
    rest ? { path: '/events', headers: JSON_TYPE, body: restEvent(rest, eventId) } : null,
  'REST batch': ({ rest }, eventId) =>
    rest ? { path: '/events/batch', headers: JSON_TYPE, body: `[${restEvent(rest, eventId)}]` } : null,
}

function restEvent(value: string, eventId: string): string {
  return (
    `{"event_id":"${eventId}","event_type":"custom","session_id":"${SESSION_ID}",` +
    `"timestamp":"2026-11-22T15:36:00.123456789Z","data":{"value":${value}}}`
  )
}

/** No encoder writes it, but some clients do. */
function withInvalidUtf8(body: Buffer): Buffer {
  const at = body.indexOf(INVALID_UTF8_MARK)
  if (at >= 0) body.fill(0xff, at, at + INVALID_UTF8_MARK.length)
  return body
}

describe('hard values', () => {
  let postgres: PostgresServer
  let receiver: RunningReceiver
  let directory: string
  let path: string
  let databaseUrl: string

  beforeAll(async () => {
    postgres = await startPostgres()
    directory = await mkdtemp(join(tmpdir(), 'hard-values-'))
    path = join(directory, 'events.jsonl')
    databaseUrl = await postgres.createDatabase()
    receiver = await startReceiver({
      env: { STORAGE_TYPE: 'postgres,jsonl', DATABASE_URL: databaseUrl, JSONL_PATH: path },
    })
  })

  afterAll(async () => {
    await receiver?.stop()
    await postgres?.stop()
    await rm(directory, { recursive: true })
  })

  /** What each store has under the ids. */
  async function stored(): Promise<Map<string, EventRecord>[]> {
    const rows = await storedEvents(databaseUrl)
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n').map(decodeLine)
    return [rows, lines].map((events) => new Map(events.map((event) => [event.eventId, event])))
  }

  async function expectStored(
    ids: ReadonlyMap<string, string>,
    storedAs = ({ stored }: HardValue) => stored,
  ): Promise<void> {
    for (const events of await stored()) {
      const found = Object.fromEntries(
        [...ids].map(([name, id]) => [name, events.has(id) ? storedValue(events.get(id)!) : 'not stored']),
      )
      const expected = Object.fromEntries(
        [...ids.keys()].map((name) => [name, comparable(parseJson(storedAs(ARRIVING[name]!)))]),
      )
      expect(found).toEqual(expected)
    }
  }

  it.each(Object.entries(REQUESTS))('arrive through %s as the table says', async (_way, requestOf) => {
    const ids = new Map<string, string>()
    for (const [name, value] of Object.entries(ARRIVING)) {
      const eventId = uuidv7()
      const request = requestOf(value, eventId)
      if (request === null) continue
      const answer = await send(receiver.url, request)
      expect([name, answer.status, answer.body.toString().slice(0, 200)]).toEqual([
        name,
        request.path === '/v1/logs' ? 200 : 202,
        expect.not.stringContaining('rejected'),
      ])
      ids.set(name, eventId)
    }
    await expectStored(ids)
  })

  it.each(['http/protobuf', 'http/json'] as const)(
    'arrive through HookClient by %s as the table says',
    async (protocol) => {
      const ids = new Map<string, string>()
      const client = new HookClient({ endpoint: receiver.url, protocol, redact: false })
      for (const [name, { client: value }] of Object.entries(ARRIVING)) {
        if (value === undefined) continue
        const eventId = uuidv7()
        client.emit({ eventType: 'custom', sessionId: SESSION_ID, eventId, data: { value } })
        ids.set(name, eventId)
      }
      const { delivered, dropped } = await client.close()
      expect({ delivered, dropped }).toEqual({ delivered: ids.size, dropped: 0 })
      await expectStored(ids, ({ stored, storedFromClient }) => storedFromClient ?? stored)
    },
  )

  it('cuts what is nested deeper, by every way', async () => {
    const value = nested(DEEPEST, '1')
    for (const requestOf of Object.values(REQUESTS)) {
      const eventId = uuidv7()
      await send(receiver.url, requestOf(value, eventId)!)
      for (const events of await stored()) {
        expect(storedValue(events.get(eventId)!)).toEqual(
          parseJson(nested(DEEPEST - 1, JSON.stringify(TOO_DEEP)).stored),
        )
      }
    }
  })

  it('truncates times to microseconds, by every way', async () => {
    for (const requestOf of Object.values(REQUESTS)) {
      const eventId = uuidv7()
      await send(receiver.url, requestOf(textValue('now'), eventId)!)
      for (const events of await stored()) expect(events.get(eventId)!.timestampMicros).toBe(TIME_MICROS)
    }
  })

  it('gives an id that is no UUID the same UUID by every way, and keeps the original', async () => {
    const original = 'call_42/ü'
    const uuids = new Set<string>()
    for (const requestOf of Object.values(REQUESTS))
      await send(receiver.url, requestOf(textValue(original), original)!)
    for (const events of await stored()) {
      for (const [eventId, event] of events) if (storedValue(event) === original) uuids.add(eventId)
    }
    expect(uuids.size).toBe(1)
    for (const events of await stored()) {
      const { attributes } = events.get([...uuids][0]!)!
      expect(parseJson(Buffer.from(attributes!).toString())).toEqual({ 'log.record.uid': original })
    }
  })

  it('rejects a name that is too long and a time that is too late by name, and stores the rest of the batch', async () => {
    const fine = uuidv7()
    const request = logsRequest({ stringValue: 'fine' }, fine) as ReturnType<typeof logsRequest> & {
      resourceLogs: { scopeLogs: { logRecords: { timeUnixNano: string; attributes: object[] }[] }[] }[]
    }
    const { logRecords } = request.resourceLogs[0]!.scopeLogs[0]!
    const session = { key: 'session.id', value: { stringValue: 's'.repeat(513) } }
    logRecords.push(
      { timeUnixNano: '1', attributes: [session] },
      { timeUnixNano: '9007199254740992000', attributes: [] },
    )
    const protobuf = await send(receiver.url, {
      path: '/v1/logs',
      headers: { 'content-type': 'application/x-protobuf' },
      body: encodeLogsRequest(request),
    })
    const expected = {
      partialSuccess: {
        rejectedLogRecords: '2',
        errorMessage: expect.stringMatching(/session_id is 513 characters long[\s\S]*2255-06-05/),
      },
    }
    expect(decodeLogsResponse(protobuf.body)).toEqual(expected)
    const asJson = await send(receiver.url, {
      path: '/v1/logs',
      headers: JSON_TYPE,
      body: JSON.stringify(request),
    })
    expect(json(asJson)).toEqual(expected)
    for (const events of await stored()) expect(events.has(fine)).toBe(true)
  })

  it('refuses them over REST with a path to each field', async () => {
    const answer = await send(receiver.url, {
      path: '/events/batch',
      headers: JSON_TYPE,
      body: JSON.stringify([
        { event_type: 'custom', session_id: 's'.repeat(513) },
        { event_type: 'custom', session_id: 's', timestamp: '1969-12-31T23:59:59Z' },
        { event_type: 'custom', session_id: 's', timestamp: '2256-01-01T00:00:00Z' },
      ]),
    })
    expect(answer.status).toBe(422)
    const { detail } = json(answer) as { detail: { loc: unknown[] }[] }
    expect(detail.map(({ loc }) => loc)).toEqual([
      ['body', 0, 'session_id'],
      ['body', 1, 'timestamp'],
      ['body', 2, 'timestamp'],
    ])
  })
})

function storedValue(event: EventRecord): unknown {
  return comparable((parseJson(Buffer.from(event.data).toString()) as { value: unknown }).value)
}

/** PostgreSQL writes 1e300 with all its zeros; beyond 64 bits only the value of a double counts. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  const { rawJSON } = value as { rawJSON?: string }
  return rawJSON !== undefined && rawJSON.length > '-9223372036854775808'.length ? Number(rawJSON) : value
}
