import { once } from 'node:events'
import { createServer } from 'node:net'
import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HookClient, type HookClientOptions } from '../../src/index.ts'
import type { Drop } from '../../src/options/types.ts'
import {
  accept,
  answer,
  closeAtOnce,
  closeHalfway,
  hang,
  OtlpServer,
  rejectSome,
  talkNonsense,
} from '../support/otlp-server.ts'

let server: OtlpServer
let logger: MemoryLogger
let drops: Drop[]

beforeEach(async () => {
  server = await OtlpServer.start()
  logger = new MemoryLogger()
  drops = []
})
afterEach(() => server[Symbol.asyncDispose]())

/** Retries at once, so that tests need not wait. */
function clientOf(options: HookClientOptions = {}): HookClient {
  return new HookClient({
    endpoint: server.url,
    retryInitialDelayMillis: 1,
    logger,
    onDrop: (drop) => drops.push(drop),
    ...options,
  })
}

function emit(client: HookClient, count: number): void {
  for (let n = 0; n < count; n++) client.emit({ eventType: 'custom', sessionId: 's', data: { n } })
}

/** Of the stored events; requests overtake each other. */
function numbers(): number[] {
  return server.stored.map(({ data }) => data.n as number).sort((a, b) => a - b)
}

describe('a full queue', () => {
  it('drops the newest of 10,000 events in one tick, and says so in stats, to onDrop and in one log line', async () => {
    await using client = clientOf()
    emit(client, 10_000)
    const result = await client.flush()
    expect(result).toEqual({ delivered: 2048, dropped: 7952, spooled: 0, pending: 0 })
    expect(client.stats()).toMatchObject({ emitted: 10_000, droppedByReason: { queue_full: 7952 } })
    expect(numbers()).toEqual(Array.from({ length: 2048 }, (_, n) => n))
    expect(drops).toEqual([{ reason: 'queue_full', count: 7952, message: expect.stringContaining('2048') }])
    expect(logger.warnings).toEqual([expect.stringContaining('7952 events dropped (queue_full)')])
  })

  it('drops nothing of 10,000 events in one tick when it is large enough', async () => {
    await using client = clientOf({ maxQueueSize: 10_000 })
    emit(client, 10_000)
    expect(await client.flush()).toEqual({ delivered: 10_000, dropped: 0, spooled: 0, pending: 0 })
    expect(new Set(server.storedIds).size).toBe(10_000)
    expect(logger.warnings).toEqual([])
  })

  it('drops the oldest when that is the policy', async () => {
    await using client = clientOf({ queueFullPolicy: 'dropOldest', maxQueueSize: 100 })
    emit(client, 1000)
    expect(await client.flush()).toMatchObject({ delivered: 100, dropped: 900 })
    expect(numbers()).toEqual(Array.from({ length: 100 }, (_, n) => 900 + n))
  })

  it('is full, too, when its bytes are used up', async () => {
    await using client = clientOf({ maxQueueBytes: 100_000 })
    for (let n = 0; n < 20; n++)
      client.emit({ eventType: 'custom', sessionId: 's', data: { text: 'x'.repeat(10_000) } })
    expect(await client.flush()).toMatchObject({ delivered: 9, dropped: 11, pending: 0 })
    emit(client, 1)
    expect(await client.flush()).toMatchObject({ delivered: 1, dropped: 0 })
  })

  it('goes on after a throwing onDrop', async () => {
    await using client = clientOf({
      maxQueueSize: 1,
      onDrop: () => {
        throw new Error('from onDrop')
      },
    })
    emit(client, 2)
    expect(await client.flush()).toMatchObject({ delivered: 1, dropped: 1 })
    expect(logger.warnings).toContain('onDrop threw: Error: from onDrop')
  })
})

describe('a server that fails', () => {
  it('with 500 has refused the batch: it is dropped and counted, and the next is delivered', async () => {
    server.next.push(answer(500, { 'content-type': 'application/json' }, '{"message":"disk on fire"}'))
    await using client = clientOf()
    emit(client, 3)
    expect(await client.flush()).toEqual({ delivered: 0, dropped: 3, spooled: 0, pending: 0 })
    expect(drops).toEqual([{ reason: 'refused', count: 3, message: expect.stringContaining('disk on fire') }])
    emit(client, 2)
    expect(await client.flush()).toEqual({ delivered: 2, dropped: 0, spooled: 0, pending: 0 })
    expect(server.requests).toHaveLength(2)
  })

  it.each([429, 502, 503, 504])('with %i gets the same events again', async (status) => {
    server.next.push(answer(status), answer(status))
    await using client = clientOf()
    emit(client, 3)
    expect(await client.flush()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
    expect(server.requests).toHaveLength(3)
    expect(server.requests[2]!.events).toEqual(server.requests[0]!.events)
    expect(logger.warnings).toEqual([expect.stringContaining(`status ${status}`)])
    expect(logger.infos).toEqual([expect.stringContaining('again')])
  })

  it('with 429 and Retry-After gets them again no earlier', async () => {
    const times: number[] = []
    const note =
      (behaviour: typeof accept): typeof accept =>
      (response, request) => {
        times.push(Date.now())
        return behaviour(response, request)
      }
    server.next.push(note(answer(429, { 'retry-after': '1' })), note(accept))
    await using client = clientOf()
    emit(client, 1)
    expect(await client.flush()).toMatchObject({ delivered: 1 })
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(990)
  })

  it('with a Retry-After date gets them again no earlier', async () => {
    const start = Date.now()
    const date = new Date(start + 2000).toUTCString()
    server.next.push(answer(503, { 'retry-after': date }))
    await using client = clientOf()
    emit(client, 1)
    expect(await client.flush()).toMatchObject({ delivered: 1 })
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(date) - 10)
  })

  it.each(['http/protobuf', 'http/json'] as const)(
    'with partial success over %s has stored the rest: the rejected are counted and not sent again',
    async (protocol) => {
      server.next.push(rejectSome(2, 'timestamp out of range'))
      await using client = clientOf({ protocol })
      emit(client, 5)
      expect(await client.flush()).toEqual({ delivered: 3, dropped: 2, spooled: 0, pending: 0 })
      expect(drops).toEqual([{ reason: 'rejected', count: 2, message: 'timestamp out of range' }])
      expect(server.requests).toHaveLength(1)
    },
  )

  it.each([
    ['closing connections halfway through its answer', closeHalfway],
    ['closing connections at once', closeAtOnce],
    ['an answer that is no HTTP', talkNonsense],
    [
      "a 200 that is another server's page",
      answer(200, { 'content-type': 'text/html' }, '<h1>It works!</h1>'),
    ],
    [
      'a 200 that is not what its content type says',
      answer(200, { 'content-type': 'application/json' }, '{oops'),
    ],
    [
      'a 200 that is cut off',
      answer(
        200,
        { 'content-type': 'application/x-protobuf' },
        Buffer.from([0x0a, 50, 8]).toString('latin1'),
      ),
    ],
  ])('with %s gets the events again', async (_, behaviour) => {
    server.next.push(behaviour)
    await using client = clientOf()
    emit(client, 3)
    expect(await client.flush()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
    expect(server.requests).toHaveLength(2)
  })

  it('slowly is waited for', async () => {
    server.next.push(async (response) => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      accept(response, server.requests[0]!)
    })
    await using client = clientOf()
    emit(client, 3)
    expect(await client.flush()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
    expect(server.requests).toHaveLength(1)
  })

  it('by hanging is given up after exportTimeoutMillis, and asked again', async () => {
    server.next.push(hang)
    await using client = clientOf({ exportTimeoutMillis: 100 })
    emit(client, 3)
    expect(await client.flush()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
    expect(logger.warnings).toEqual([expect.stringContaining('no answer within 100 ms')])
  })

  it('more often than maxRetryAttempts loses the batch, counted, and only that one', async () => {
    server.next.push(answer(503), answer(503), answer(503))
    await using client = clientOf({ maxRetryAttempts: 2, batchSize: 10, concurrencyLimit: 1 })
    emit(client, 15)
    expect(await client.flush()).toEqual({ delivered: 5, dropped: 10, spooled: 0, pending: 0 })
    expect(drops).toEqual([{ reason: 'undeliverable', count: 10, message: 'status 503' }])
  })

  it('is probed by one request at a time', async () => {
    server.behaviour = answer(503)
    await using client = clientOf({ batchSize: 1, concurrencyLimit: 4 })
    emit(client, 20)
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThanOrEqual(8))
    const tried = new Set(server.requests.slice(4).flatMap(({ events }) => events.map(({ data }) => data.n)))
    expect([...tried].every((n) => (n as number) < 4)).toBe(true)
    server.behaviour = accept
    expect(await client.flush()).toMatchObject({ dropped: 0, pending: 0 })
    expect(client.stats().delivered).toBe(20)
  })

  it('and is not there at all: what cannot be delivered within flush is pending, after close dropped', async () => {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as { port: number }
    listener.close()
    const client = clientOf({
      endpoint: `http://127.0.0.1:${port}`,
      retryInitialDelayMillis: 1000,
      shutdownTimeoutMillis: 100,
    })
    emit(client, 3)
    expect(await client.flush({ timeoutMillis: 100 })).toEqual({
      delivered: 0,
      dropped: 0,
      spooled: 0,
      pending: 3,
    })
    expect(await client.close()).toEqual({ delivered: 0, dropped: 3, spooled: 0, pending: 0 })
    expect(drops).toEqual([{ reason: 'undeliverable', count: 3, message: expect.stringContaining('100 ms') }])
    expect(logger.warnings[0]).toContain('ECONNREFUSED')
  })
})

describe('requests', () => {
  it('carry at most batchSize events each', async () => {
    await using client = clientOf({ batchSize: 7 })
    emit(client, 50)
    await client.flush()
    expect(server.requests.map(({ events }) => events.length)).toEqual([7, 7, 7, 7, 7, 7, 7, 1])
  })

  it('are split where events are large', async () => {
    await using client = clientOf()
    for (let n = 0; n < 6; n++)
      client.emit({ eventType: 'custom', sessionId: 's', data: { text: 'x'.repeat(400_000) } })
    await client.flush()
    expect(server.requests.map(({ events }) => events.length)).toEqual([2, 2, 2])
  })

  it('leave by themselves when a batch is full or flushIntervalMillis is over', async () => {
    await using client = clientOf({ batchSize: 10, flushIntervalMillis: 200 })
    emit(client, 12)
    await vi.waitFor(() => expect(server.stored).toHaveLength(12))
    expect(server.requests.map(({ events }) => events.length)).toEqual([10, 2])
  })

  it('go to the signal path of a base URL, with the headers given', async () => {
    await using client = clientOf({ endpoint: `${server.url}/base/`, headers: { authorization: 'Bearer x' } })
    emit(client, 1)
    await client.flush()
    expect(server.requests[0]).toMatchObject({
      path: '/base/v1/logs',
      headers: { authorization: 'Bearer x', 'content-type': 'application/x-protobuf' },
    })
  })

  it('ask a headers function before each attempt, and try again when it fails', async () => {
    let calls = 0
    await using client = clientOf({
      headers: async () => {
        if (++calls === 1) throw new Error('no token yet')
        return { authorization: `Bearer ${calls}` }
      },
    })
    emit(client, 1)
    expect(await client.flush()).toMatchObject({ delivered: 1 })
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer 2'])
  })

  it('do not wait for ever for a headers function', async () => {
    let calls = 0
    await using client = clientOf({
      exportTimeoutMillis: 50,
      headers: () => (++calls === 1 ? new Promise<never>(() => {}) : {}),
    })
    emit(client, 1)
    expect(await client.flush()).toMatchObject({ delivered: 1 })
    expect(logger.warnings[0]).toContain('the headers function did not answer within 50 ms')
  })

  it('are compressed when asked to', async () => {
    await using client = clientOf({ compression: 'gzip' })
    emit(client, 50)
    await client.flush()
    expect(server.requests[0]!.headers['content-encoding']).toBe('gzip')
    expect(server.requests[0]!.bytes).toBeLessThan(5000)
    expect(server.stored).toHaveLength(50)
  })

  it('of many clients share the connections of the process', async () => {
    const clients = Array.from({ length: 200 }, () => clientOf())
    for (const client of clients) emit(client, 1)
    await Promise.all(clients.map((client) => client.flush()))
    expect(server.stored).toHaveLength(200)
    expect(server.connections).toBeLessThanOrEqual(32)
    await Promise.all(clients.map((client) => client.close()))
  })
})
