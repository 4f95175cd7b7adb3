import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type EmittedEvent, HookClient, type HookClientOptions } from '../../src/index.ts'
import { OtlpServer } from '../support/otlp-server.ts'

let server: OtlpServer
let logger: MemoryLogger

beforeEach(async () => {
  server = await OtlpServer.start()
  logger = new MemoryLogger()
})
afterEach(() => server[Symbol.asyncDispose]())

/** What is stored of an event's data, over a real connection. */
async function stored(data: unknown, options: HookClientOptions = {}): Promise<Record<string, unknown>> {
  await using client = new HookClient({ endpoint: server.url, logger, ...options })
  client.emit({ eventType: 'event', sessionId: 's', data: data as EmittedEvent['data'] })
  client.emit({ eventType: 'next', sessionId: 's' })
  expect(await client.flush()).toEqual({ delivered: 2, dropped: 0, spooled: 0, pending: 0 })
  // Requests may overtake each other.
  const { next = [], event = [] } = Object.groupBy(server.stored.splice(0), ({ eventType }) => eventType)
  expect(next).toHaveLength(1)
  return event[0]!.data
}

describe.each(['http/protobuf', 'http/json'] as const)('over %s', (protocol) => {
  const arrives = async (data: unknown, as: unknown) => expect(await stored(data, { protocol })).toEqual(as)

  it('plain JSON arrives as it is', async () => {
    const data = { text: 'a\t"ü"\\\n😀', list: [1, 2.5, null, true, {}], nested: { '': 1, a: { b: [] } } }
    await arrives(data, data)
  })

  it('numbers keep their values, however large', async () => {
    const data = {
      zero: -0,
      negative: -7,
      safe: 2 ** 53 - 1,
      unsafe: 2 ** 60,
      least: -(2 ** 63),
      beyond: 2 ** 64,
      huge: 1e300,
      wide: 1e21,
      tiny: 5e-324,
      fraction: 0.1,
    }
    await arrives(data, { ...data, zero: 0 })
  })

  it('an integer beyond 2^53 arrives with every digit that a double has', async () => {
    await using client = new HookClient({ endpoint: server.url, protocol, logger })
    client.emit({ eventType: 'custom', sessionId: 's', data: { n: 2 ** 60 } })
    await client.flush()
    expect(server.requests[0]!.dataJson).toEqual(['{"n":1152921504606846976}'])
  })

  it('values that JSON does not have arrive in a sensible form', async () => {
    const cause = new RangeError('inner')
    const error = Object.assign(new Error('outer', { cause }), { code: 'E1' })
    await arrives(
      {
        nan: Number.NaN,
        infinity: -Infinity,
        date: new Date(0),
        noDate: new Date(Number.NaN),
        error,
        map: new Map<unknown, unknown>([
          ['a', 1],
          [2, new Map()],
        ]),
        set: new Set([1, 'b']),
        big: 12n,
        exact: 2n ** 62n,
        inexact: 2n ** 53n + 1n,
        bigger: 2n ** 70n,
        bytes: new Uint8Array([1, 2, 3]),
        buffer: new Uint8Array([255]).buffer,
        floats: new Float32Array([0]),
        boxed: [new String('s'), new Number(1), new Boolean(false)],
        url: new URL('http://example.com/'),
        fn: () => 1,
        symbol: Symbol('s'),
        undefined: undefined,
        gaps: [undefined, () => 1, Symbol('s')],
      },
      {
        nan: 'NaN',
        infinity: '-Infinity',
        date: '1970-01-01T00:00:00.000Z',
        noDate: null,
        error: {
          name: 'Error',
          message: 'outer',
          stack: error.stack,
          cause: { name: 'RangeError', message: 'inner', stack: cause.stack },
          code: 'E1',
        },
        map: { a: 1, 2: {} },
        set: [1, 'b'],
        big: 12,
        exact: 2 ** 62,
        inexact: '9007199254740993',
        bigger: '1180591620717411303424',
        bytes: 'AQID',
        buffer: '/w==',
        floats: 'AAAAAA==',
        boxed: ['s', 1, false],
        url: 'http://example.com/',
        gaps: [null, null, null],
      },
    )
  })

  it('circular references say so, and what is only repeated does not', async () => {
    const shared = { x: 1 }
    const data: Record<string, unknown> = { shared, again: shared, list: [shared] }
    data.self = data
    data.list = [shared, data.list, data]
    const map = new Map<string, unknown>()
    map.set('map', map)
    data.map = map
    await arrives(data, {
      shared,
      again: shared,
      list: [shared, [shared], '[circular]'],
      self: '[circular]',
      map: { map: '[circular]' },
    })
  })

  it('getters, toJSON and proxies that throw say so in their place', async () => {
    const broken = () => {
      throw new Error('no')
    }
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const unprintable = {
      get a(): never {
        throw Object.create(null)
      },
    }
    const data = {
      get getter(): never {
        return broken()
      },
      toJson: { toJSON: broken },
      keys: new Proxy({}, { ownKeys: broken }),
      revoked: proxy,
      unprintable,
      fine: 1,
    }
    await arrives(data, {
      getter: '[threw: no]',
      toJson: '[threw: no]',
      keys: '[threw: no]',
      revoked: expect.stringMatching(/^\[threw: .*revoked/),
      unprintable: { a: '[threw]' },
      fine: 1,
    })
  })

  it('what can represent itself is asked to', async () => {
    await arrives({ a: { toJSON: () => ({ b: 1n }) }, b: { toJSON: () => undefined } }, { a: { b: 1 } })
  })

  it('1,024 levels arrive, and what lies deeper says so', async () => {
    let nested: unknown = 'bottom'
    for (let depth = 0; depth < 1500; depth++) nested = { nested }
    let value: unknown = await stored({ nested }, { protocol })
    let depth = 0
    while (typeof value === 'object') {
      value = (value as { nested: unknown }).nested
      depth++
    }
    expect({ value, depth }).toEqual({ value: '[nested too deep]', depth: 1024 })
  })

  it('text that cannot be stored everywhere is repaired', async () => {
    await arrives(
      { 'k\0': 'a\0b', lone: 'x\ud800y\udc00' },
      { 'k\ufffd': 'a\ufffdb', lone: 'x\ufffdy\ufffd' },
    )
  })

  it('a key called __proto__ is a key', async () => {
    const data = await stored(JSON.parse('{"__proto__":{"polluted":true},"a":1}'), { protocol })
    expect(Object.keys(data)).toEqual(['__proto__', 'a'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe('a payload', () => {
  it('arrives as it was when emit was called', async () => {
    await using client = new HookClient({ endpoint: server.url })
    const data = { list: [1], bytes: new Uint8Array([1]), nested: { a: 1 } }
    client.emit({ eventType: 'custom', sessionId: 's', data })
    data.list.push(2)
    data.bytes[0] = 9
    data.nested.a = 2
    await client.flush()
    expect(server.stored[0]!.data).toEqual({ list: [1], bytes: 'AQ==', nested: { a: 1 } })
  })

  it('that is no object arrives as the member `value`', async () => {
    expect(await stored('text')).toEqual({ value: 'text' })
    expect(await stored([1, 2])).toEqual({ value: [1, 2] })
    expect(await stored(null)).toEqual({})
  })

  it('of 1 MiB arrives whole', async () => {
    const text = 'é'.repeat(1024 * 1024)
    expect((await stored({ text })).text).toBe(text)
  })

  it('beyond maxPayloadBytes is cut and says where', async () => {
    const data = await stored(
      { before: 1, text: 'x'.repeat(5000), list: [1, 2, 3], after: 'lost', more: 1 },
      { maxPayloadBytes: 1000 },
    )
    expect(data).toEqual({
      before: 1,
      text: expect.stringMatching(/^x{900,999}\[truncated: 5000 characters\]$/),
      '[truncated]': '3 more members',
    })
  })

  it('with a million members is cut in time', async () => {
    const wide = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, n) => [`k${n}`, n]))
    const data = (await stored(
      { wide, list: Array.from({ length: 100 }, () => 1) },
      { maxPayloadBytes: 1000 },
    )) as {
      wide: Record<string, unknown>
    }
    expect(data.wide['[truncated]']).toMatch(/^\d+ more members$/)
    expect(Object.keys(data.wide).length).toBeLessThan(100)
  })

  it('of wide characters is not cut within one', async () => {
    const { text } = (await stored({ text: '😀'.repeat(1000) }, { maxPayloadBytes: 1001 })) as {
      text: string
    }
    expect(text.isWellFormed()).toBe(true)
    expect(text).toMatch(/^(😀)+�?\[truncated: 2000 characters\]$/u)
    expect(Buffer.byteLength(text)).toBeLessThan(1100)
  })
})

describe('emit', () => {
  it.each([undefined, null, 7, 'event', [], {}, { eventType: '' }, { eventType: 'x'.repeat(513) }])(
    'counts %o as dropped and does not throw',
    async (event) => {
      await using client = new HookClient({ endpoint: server.url, logger })
      client.emit(event as unknown as EmittedEvent)
      client.emit({ eventType: 'custom', sessionId: 's' })
      expect(await client.flush()).toEqual({ delivered: 1, dropped: 1, spooled: 0, pending: 0 })
      expect(client.stats().droppedByReason).toEqual({ invalid: 1 })
      expect(logger.warnings).toHaveLength(1)
    },
  )

  it('survives an event whose every member throws', async () => {
    await using client = new HookClient({ endpoint: server.url, logger })
    const hostile = new Proxy({} as EmittedEvent, {
      get() {
        throw Object.create(null)
      },
    })
    client.emit(hostile)
    expect(await client.flush()).toMatchObject({ dropped: 1 })
  })

  it('keeps the id and the time that an event has, and gives one to an event that has none', async () => {
    await using client = new HookClient({ endpoint: server.url })
    const eventId = '0198f3e4-7b1a-7c4e-9f3a-2b1c0d9e8f7a'
    client.emit({ eventType: 'a', sessionId: 's', eventId, timestamp: new Date(1_700_000_000_123) })
    client.emit({ eventType: 'b', sessionId: 's', timestamp: 1_700_000_000_123.456 })
    const before = Date.now()
    client.emit({ eventType: 'c', sessionId: 's', eventId: 'not-a-uuid' })
    for (const timestamp of [-1, Number.NaN, new Date(Number.NaN), 'yesterday', {}]) {
      client.emit({ eventType: 'd', sessionId: 's', timestamp: timestamp as Date })
    }
    await client.flush()
    const [a, b, c, ...rest] = server.stored
    expect(a).toMatchObject({ eventId, timestampMicros: 1_700_000_000_123_000 })
    expect(b).toMatchObject({ timestampMicros: 1_700_000_000_123_456 })
    expect(b!.eventId).toMatch(/^[\da-f]{8}-[\da-f]{4}-7/)
    expect(c!.attributes).toEqual({ 'log.record.uid': 'not-a-uuid' })
    for (const event of rest) expect(event.timestamp.getTime()).toBeGreaterThanOrEqual(before)
    expect(rest).toHaveLength(5)
  })

  it('leaves a time too late to be stored to the receiver, which names it', async () => {
    await using client = new HookClient({ endpoint: server.url })
    client.emit({ eventType: 'custom', sessionId: 's', timestamp: 8.64e15 })
    await client.flush()
    expect(server.requests[0]!.rejections[0]!.reason).toMatch('timestamp must be before')
  })

  it('writes ids, severity, resource and scope as the conventions say', async () => {
    await using client = new HookClient({
      endpoint: server.url,
      resourceAttributes: { 'service.name': 'my-agent', 'deployment.environment.name': 'test' },
    })
    client.emit({
      eventType: 'tool_blocked',
      sessionId: 's',
      workflowId: 'w',
      phaseId: 'p',
      milestoneId: 'm',
      data: { tool_name: 'Bash', tool_use_id: 't', agent_id: 'a', agent_name: 'n', model: 'o' },
    })
    client.emit({ eventType: 'tool_execution_completed', sessionId: 's', data: { success: false } })
    await client.flush()
    const [blocked, failed] = server.stored
    expect(blocked).toMatchObject({
      eventType: 'tool_blocked',
      sessionId: 's',
      workflowId: 'w',
      phaseId: 'p',
      milestoneId: 'm',
      data: { tool_name: 'Bash', tool_use_id: 't', agent_id: 'a', agent_name: 'n', model: 'o' },
      severity: 13,
      traceId: null,
      attributes: null,
      resource: {
        'service.name': 'my-agent',
        'deployment.environment.name': 'test',
        'service.instance.id': expect.stringMatching(/^[\da-f-]{36}$/),
        'process.pid': process.pid,
        'host.name': expect.any(String),
      },
      scope: { name: '@agentic-hooks/instrumentation', version: expect.any(String) },
    })
    expect(failed!.severity).toBe(17)
  })
})
