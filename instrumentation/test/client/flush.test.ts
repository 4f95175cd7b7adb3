import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HookClient, type HookClientOptions } from '../../src/index.ts'
import { accept, answer, hang, OtlpServer } from '../support/otlp-server.ts'

let server: OtlpServer

beforeEach(async () => {
  server = await OtlpServer.start()
})
afterEach(() => server[Symbol.asyncDispose]())

function clientOf(options: HookClientOptions = {}): HookClient {
  return new HookClient({
    endpoint: server.url,
    retryInitialDelayMillis: 1,
    logger: new MemoryLogger(),
    ...options,
  })
}

function emit(client: HookClient, count: number): void {
  for (let n = 0; n < count; n++) client.emit({ eventType: 'custom', sessionId: 's', data: { n } })
}

describe('flush', () => {
  it('says what became of the events since the one before', async () => {
    await using client = clientOf()
    emit(client, 3)
    expect(await client.flush()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
    expect(await client.flush()).toEqual({ delivered: 0, dropped: 0, spooled: 0, pending: 0 })
    emit(client, 2)
    expect(await client.flush()).toEqual({ delivered: 2, dropped: 0, spooled: 0, pending: 0 })
    expect(client.stats()).toMatchObject({ emitted: 5, delivered: 5 })
  })

  it('waits for everything emitted before it, however many flush at once', async () => {
    await using client = clientOf({ batchSize: 3 })
    const flushes: Promise<unknown>[] = []
    for (let round = 1; round <= 20; round++) {
      emit(client, 10)
      const emitted = round * 10
      flushes.push(client.flush().then(() => expect(server.stored.length).toBeGreaterThanOrEqual(emitted)))
    }
    await Promise.all(flushes)
    expect(client.stats()).toMatchObject({ emitted: 200, delivered: 200, pending: 0 })
  })

  it('does not wait for what is emitted later', async () => {
    await using client = clientOf({ batchSize: 1, concurrencyLimit: 1, flushIntervalMillis: 10_000 })
    emit(client, 1)
    const flushed = client.flush()
    await vi.waitFor(() => expect(server.requests).toHaveLength(1))
    server.behaviour = hang
    client.emit({ eventType: 'later', sessionId: 's' })
    expect(await flushed).toMatchObject({ delivered: 1 })
    server.behaviour = accept
  })

  it('loses nothing that is emitted while it runs', async () => {
    await using client = clientOf({ batchSize: 5 })
    for (let round = 0; round < 50; round++) {
      emit(client, 7)
      void client.flush()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await client.flush()
    expect(new Set(server.storedIds).size).toBe(350)
    expect(client.stats()).toMatchObject({ emitted: 350, delivered: 350, dropped: 0, pending: 0 })
  })

  it('ends after its timeout with what is still pending, which is delivered later', async () => {
    server.behaviour = answer(503)
    await using client = clientOf({ maxRetryAttempts: 1000 })
    emit(client, 3)
    expect(await client.flush({ timeoutMillis: 50 })).toEqual({
      delivered: 0,
      dropped: 0,
      spooled: 0,
      pending: 3,
    })
    expect(client.pendingCount).toBe(3)
    server.behaviour = accept
    expect(await client.flush()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
    expect(client.pendingCount).toBe(0)
  })
})

describe('close', () => {
  it('delivers what is pending, and again gives the same answer', async () => {
    const client = clientOf()
    emit(client, 120)
    const [first, second] = await Promise.all([client.close(), client.close()])
    expect(first).toEqual({ delivered: 120, dropped: 0, spooled: 0, pending: 0 })
    expect(second).toBe(first)
    expect(server.stored).toHaveLength(120)
  })

  it('counts what is emitted afterwards', async () => {
    const logger = new MemoryLogger()
    const client = clientOf({ logger })
    await client.close()
    emit(client, 2)
    await vi.waitFor(() =>
      expect(logger.warnings).toEqual([expect.stringContaining('2 events dropped (closed)')]),
    )
    expect(client.stats()).toMatchObject({ emitted: 2, droppedByReason: { closed: 2 } })
  })

  it('beside a flush and emits counts each event once', async () => {
    const client = clientOf({ batchSize: 10 })
    emit(client, 100)
    const flushed = client.flush()
    emit(client, 100)
    const closed = client.close()
    emit(client, 50)
    await Promise.all([flushed, closed])
    expect(client.stats()).toMatchObject({
      emitted: 250,
      delivered: 200,
      droppedByReason: { closed: 50 },
      pending: 0,
    })
    expect(new Set(server.storedIds).size).toBe(200)
  })

  it('is over within shutdownTimeoutMillis when the server hangs, and counts what was under way as dropped', async () => {
    server.behaviour = hang
    const client = clientOf({ shutdownTimeoutMillis: 100 })
    emit(client, 60)
    expect(await client.close()).toEqual({ delivered: 0, dropped: 60, spooled: 0, pending: 0 })
  })

  it('does not sit out a backoff', async () => {
    server.next.push(answer(503))
    const logger = new MemoryLogger()
    const client = clientOf({ logger, retryInitialDelayMillis: 3_600_000, retryMaxDelayMillis: 3_600_000 })
    emit(client, 1)
    void client.flush()
    await vi.waitFor(() => expect(logger.warnings).toEqual([expect.stringContaining('status 503')]))
    await client.close()
    expect(client.stats()).toMatchObject({ delivered: 1, dropped: 0 })
  })

  it('does not come back earlier than the server asked for', async () => {
    server.behaviour = answer(503, { 'retry-after': '3600' })
    const logger = new MemoryLogger()
    const client = clientOf({ logger, shutdownTimeoutMillis: 100 })
    emit(client, 1)
    void client.flush()
    await vi.waitFor(() => expect(logger.warnings).toEqual([expect.stringContaining('status 503')]))
    await client.close()
    expect(client.stats()).toMatchObject({ delivered: 0, dropped: 1 })
    expect(server.requests).toHaveLength(1)
  })

  it('happens at the end of an `await using` block', async () => {
    {
      await using client = clientOf()
      await client.start()
      client.emitMany([
        { eventType: 'custom', sessionId: 's' },
        { eventType: 'custom', sessionId: 's' },
      ])
    }
    expect(server.stored).toHaveLength(2)
  })
})
