import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeLine, toHookEvent, uuidv7 } from '@agentic-hooks/events'
import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { runAgent } from '@agentic-hooks/testing/run-agent'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ownedFileName, releasedFileName, thisProcess } from '../../src/delivery/spool-owner.ts'
import { HookClient, type HookClientOptions } from '../../src/index.ts'
import { accept, answer, OtlpServer, rejectSome } from '../support/otlp-server.ts'

let server: OtlpServer
let logger: MemoryLogger
let spool: string

beforeEach(async () => {
  server = await OtlpServer.start()
  logger = new MemoryLogger()
  spool = join(mkdtempSync(join(tmpdir(), 'client-spool-')), 'spool')
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(join(spool, '..'), { recursive: true, force: true })
})

function clientOf(options: HookClientOptions = {}): HookClient {
  return new HookClient({
    endpoint: server.url,
    spool,
    flushIntervalMillis: 20,
    retryInitialDelayMillis: 1,
    retryMaxDelayMillis: 20,
    shutdownTimeoutMillis: 500,
    logger,
    ...options,
  })
}

function emit(client: HookClient, count: number, from = 0): void {
  for (let n = from; n < from + count; n++) client.emit({ eventType: 'custom', sessionId: 's', data: { n } })
}

function numbers(): number[] {
  return server.stored.map(({ data }) => data.n as number).sort((a, b) => a - b)
}

const range = (count: number) => Array.from({ length: count }, (_, n) => n)

function files(): string[] {
  return readdirSync(spool).map((name) => join(spool, name))
}

function spooledEvents() {
  const lines = files().flatMap((path) => readFileSync(path, 'utf8').split('\n').filter(Boolean))
  return lines.map((line) => toHookEvent(decodeLine(line)))
}

describe('while the server is down', () => {
  it('batches whose attempts are used up go to the spool, and from there to the server when it is back', async () => {
    server.behaviour = answer(503)
    await using client = clientOf({ maxRetryAttempts: 1 })
    emit(client, 120)
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ spooled: 120, pending: 0, dropped: 0 }))
    expect(await client.flush()).toEqual({ delivered: 0, dropped: 0, spooled: 120, pending: 0 })
    const spooled = spooledEvents()
    server.behaviour = accept
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ delivered: 120, spooled: 0, pending: 0 }))
    expect(numbers()).toEqual(range(120))
    expect(new Set(server.storedIds)).toEqual(new Set(spooled.map(({ eventId }) => eventId)))
  })

  it('a full queue flows over into the spool, oldest first, and nothing is lost', async () => {
    server.behaviour = answer(503)
    await using client = clientOf({ maxQueueSize: 100, maxRetryAttempts: 1000 })
    emit(client, 10_000)
    expect(client.stats()).toMatchObject({ emitted: 10_000, dropped: 0 })
    expect(client.pendingCount).toBeLessThanOrEqual(100)
    server.behaviour = accept
    await vi.waitFor(
      () => expect(client.stats()).toMatchObject({ delivered: 10_000, spooled: 0, pending: 0 }),
      20_000,
    )
    expect(numbers()).toEqual(range(10_000))
  })

  it('an event arrives from the spool as it would have arrived directly', async () => {
    const client = clientOf({ durability: 'disk', resourceAttributes: { team: 'a' } })
    const event = {
      eventType: 'tool_execution_completed',
      sessionId: 's',
      workflowId: 'w',
      phaseId: null,
      milestoneId: 'm',
      eventId: 'my-own-id',
      timestamp: 1_700_000_000_123.456,
      data: {
        tool_name: 'Bash',
        success: false,
        bytes: new Uint8Array([1]),
        n: 2 ** 60,
        none: null,
        text: '\ud800\0',
      },
    }
    client.emit(event)
    await client.flush()
    server.behaviour = answer(503)
    client.emit(event)
    await client.close()
    server.behaviour = accept
    await using next = clientOf()
    await vi.waitFor(() => expect(next.stats()).toMatchObject({ emitted: 0, adopted: 1, delivered: 1 }))
    expect(server.stored).toHaveLength(2)
    expect(server.stored[1]).toEqual(server.stored[0])
    expect(server.requests.at(-1)!.dataJson).toEqual(server.requests[0]!.dataJson)
  })

  it('what the server refuses is dropped from the spool, too, and counted', async () => {
    server.behaviour = answer(503)
    await using client = clientOf({ maxRetryAttempts: 0, batchSize: 10 })
    emit(client, 10)
    await vi.waitFor(() => expect(client.stats().spooled).toBe(10))
    server.behaviour = rejectSome(4)
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ delivered: 6, dropped: 4, spooled: 0 }))
    expect(client.stats().droppedByReason).toEqual({ rejected: 4 })
    server.behaviour = accept
  })
})

describe('files', () => {
  it('are private, and gone when all is delivered', async () => {
    server.behaviour = answer(503)
    const client = clientOf()
    emit(client, 3)
    await client.close()
    expect(statSync(spool).mode & 0o777).toBe(0o700)
    expect(files().map((path) => statSync(path).mode & 0o777)).toEqual([0o600])
    server.behaviour = accept
    const next = clientOf()
    await next.close()
    expect(numbers()).toEqual(range(3))
    expect(files()).toEqual([])
  })

  it('hold no secrets', async () => {
    server.behaviour = answer(503)
    const client = clientOf({ durability: 'disk' })
    client.emit({ eventType: 'custom', sessionId: 's', data: { token: 'hunter2hunter2' } })
    expect(spooledEvents()[0]!.data).toEqual({ token: '[redacted]' })
    await client.close()
  })

  it('together keep within maxSpoolBytes: what does not fit is dropped and counted', async () => {
    server.behaviour = answer(503)
    const client = clientOf({ maxSpoolBytes: 20_000, maxQueueSize: 1000 })
    emit(client, 100)
    const { dropped, spooled } = await client.close()
    expect(dropped + spooled).toBe(100)
    expect(spooled).toBeGreaterThan(20)
    expect(client.stats().droppedByReason).toEqual({ spool_full: dropped })
    expect(files().reduce((bytes, path) => bytes + statSync(path).size, 0)).toBeLessThanOrEqual(20_000)
    expect(logger.warnings.at(-1)).toContain('has reached maxSpoolBytes, 20000')
  })

  it('that cannot be written are not silent', async () => {
    server.behaviour = answer(503)
    const client = clientOf()
    await client.flush()
    rmSync(spool, { recursive: true })
    emit(client, 3)
    expect(await client.close()).toMatchObject({ dropped: 3, spooled: 0 })
    expect(client.stats().droppedByReason).toEqual({ spool_failed: 3 })
    mkdirSync(spool)
  })

  it('of a dead process are adopted by exactly one of many', async () => {
    mkdirSync(spool)
    const ids = range(100).map(() => uuidv7())
    const lines = ids.map((event_id) =>
      JSON.stringify({ event_id, event_type: 'custom', session_id: 's', data: {} }),
    )
    const dead = { ...thisProcess, pid: 2 ** 22 + 1, startTime: '1' }
    for (let file = 0; file < 10; file++) {
      const text = `${lines.slice(file * 10, file * 10 + 10).join('\n')}\n`
      writeFileSync(join(spool, file % 2 ? ownedFileName(dead, uuidv7()) : releasedFileName(uuidv7())), text)
    }
    const clients = range(8).map(() => clientOf())
    await vi.waitFor(() => expect(server.stored).toHaveLength(100))
    await Promise.all(clients.map((client) => client.close()))
    expect(server.stored).toHaveLength(100)
    expect(new Set(server.storedIds)).toEqual(new Set(ids))
    expect(clients.reduce((sum, client) => sum + client.stats().adopted, 0)).toBe(100)
    expect(files()).toEqual([])
  })

  it('of a living process, and of others that nobody can see, stay where they are', async () => {
    mkdirSync(spool)
    const line = `${JSON.stringify({ event_id: uuidv7(), event_type: 'custom', session_id: 's', data: {} })}\n`
    const names = [
      ownedFileName(thisProcess, uuidv7()),
      ownedFileName({ ...thisProcess, host: 'other, host' }, uuidv7()),
      ownedFileName({ ...thisProcess, pidNamespace: '1' }, uuidv7()),
      'notes.txt',
      'events.jsonl',
    ]
    for (const name of names) {
      writeFileSync(join(spool, name), line)
      // By the clock of this process, which need not be that of the kernel.
      utimesSync(join(spool, name), new Date(), new Date())
    }
    await clientOf().close()
    expect(readdirSync(spool).sort()).toEqual(names.sort())
    expect(server.stored).toEqual([])
  })

  it('with a line that its writer could not finish lose only that line', async () => {
    mkdirSync(spool)
    const line = JSON.stringify({ event_id: uuidv7(), event_type: 'custom', session_id: 's', data: { n: 0 } })
    writeFileSync(join(spool, releasedFileName(uuidv7())), `not json\n${line}\n${line.slice(0, 40)}`)
    const client = clientOf()
    await client.close()
    expect(numbers()).toEqual([0])
    expect(client.stats()).toMatchObject({ adopted: 3, delivered: 1, droppedByReason: { invalid: 2 } })
    expect(files()).toEqual([])
  })

  it('that somebody empties are left, and what was in them counts as lost', async () => {
    server.behaviour = answer(503)
    await using client = clientOf({
      maxRetryAttempts: 0,
      // So that nothing is read from them before they are emptied.
      retryInitialDelayMillis: 500,
      retryMaxDelayMillis: 500,
    })
    emit(client, 3)
    await vi.waitFor(() => expect(client.stats().spooled).toBe(3))
    for (const path of files()) truncateSync(path)
    server.behaviour = accept
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ dropped: 3, spooled: 0, pending: 0 }))
    expect(client.stats().droppedByReason).toEqual({ spool_failed: 3 })
    emit(client, 3)
    expect(await client.flush()).toMatchObject({ delivered: 3 })
  })

  it('larger than what is read at once are read to the end', async () => {
    mkdirSync(spool)
    const lines = range(200).map((n) =>
      JSON.stringify({
        event_id: uuidv7(),
        event_type: 'custom',
        session_id: 's',
        data: { n, text: 'x'.repeat((n % 7) * 40_000) },
      }),
    )
    writeFileSync(join(spool, releasedFileName(uuidv7())), lines.join('\n'))
    await using client = clientOf({ shutdownTimeoutMillis: 10_000 })
    await client.close()
    expect(numbers()).toEqual(range(200))
  })
})

describe("durability: 'disk'", () => {
  it('has each event on disk when emit returns, and not when it is delivered', async () => {
    await using client = clientOf({ durability: 'disk', flushIntervalMillis: 60_000 })
    for (let n = 0; n < 5; n++) {
      emit(client, 1, n)
      expect(spooledEvents().map(({ data }) => data.n)).toEqual(range(n + 1))
    }
    expect(client.stats()).toMatchObject({ pending: 5, spooled: 0 })
    expect(await client.flush()).toEqual({ delivered: 5, dropped: 0, spooled: 0, pending: 0 })
    expect(spooledEvents()).toEqual([])
    emit(client, 1)
    expect(spooledEvents()).toHaveLength(1)
  })

  it('sends nothing twice when the server comes back', async () => {
    server.behaviour = answer(503)
    await using client = clientOf({
      durability: 'disk',
      maxRetryAttempts: 0,
      maxQueueSize: 60,
      batchSize: 10,
    })
    emit(client, 300)
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ pending: 0, spooled: 300 }))
    server.behaviour = accept
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ delivered: 300, spooled: 0 }))
    expect(numbers()).toEqual(range(300))
  })

  it('loses nothing of a process that is killed', async () => {
    server.behaviour = answer(503)
    const options = { endpoint: server.url, spool, durability: 'disk' } as const
    const { child, emitted, ended } = runAgent({ options, events: 500, printIds: true, end: 'wait' })
    await emitted
    child.kill('SIGKILL')
    const { ids } = await ended
    server.behaviour = accept
    await using client = clientOf()
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ adopted: 500, delivered: 500 }))
    expect(new Set(server.storedIds)).toEqual(new Set(ids))
    expect(server.stored).toHaveLength(500)
  })

  it('says once when the disk takes no more, and goes on in memory', async () => {
    await using client = clientOf({ durability: 'disk', maxSpoolBytes: 1024 })
    emit(client, 10)
    expect(await client.flush()).toEqual({ delivered: 10, dropped: 0, spooled: 0, pending: 0 })
    expect(logger.warnings).toEqual([expect.stringContaining('events are kept in memory only')])
  })
})
