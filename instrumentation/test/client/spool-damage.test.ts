import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeLine, uuidv7 } from '@agentic-hooks/events'
import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { runAgent } from '@agentic-hooks/testing/run-agent'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { releasedFileName } from '../../src/delivery/spool-owner.ts'
import { HookClient, type HookClientOptions } from '../../src/index.ts'
import { accept, answer, type Behaviour, OtlpServer } from '../support/otlp-server.ts'

let server: OtlpServer
let logger: MemoryLogger
let spool: string

beforeEach(async () => {
  server = await OtlpServer.start()
  logger = new MemoryLogger()
  spool = join(mkdtempSync(join(tmpdir(), 'client-spool-damage-')), 'spool')
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

const range = (count: number) => Array.from({ length: count }, (_, n) => n)
const numbers = () => server.stored.map(({ data }) => data.n as number).sort((a, b) => a - b)
const names = (kind = '') =>
  readdirSync(spool)
    .filter((name) => name.startsWith(kind))
    .sort()

/** A file of so many events that a client left in the spool. */
async function leave(count: number): Promise<string> {
  const before = server.behaviour
  server.behaviour = answer(503)
  const client = clientOf({ maxRetryAttempts: 0, shutdownTimeoutMillis: 50 })
  emit(client, count)
  await client.close()
  server.behaviour = before
  const [name] = names('released')
  return join(spool, name!)
}

/** Refuses requests in which there is one of these events. */
function refuse(status: number, ...poison: readonly number[]): Behaviour {
  return (response, request) => {
    const isPoisoned = request.events.some(({ data }) => poison.includes(data.n as number))
    return isPoisoned ? answer(status)(response, request) : accept(response, request)
  }
}

describe('a server that refuses', () => {
  it.each([400, 401, 403, 404, 405, 413, 415, 500, 501, 302])(
    'everything with %i, because a token or a path is wrong, loses nothing of the spool',
    async (status) => {
      await leave(120)
      server.behaviour = answer(status)
      await using client = clientOf()
      emit(client, 30, 120)
      await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(25), 10_000)
      expect(client.stats()).toMatchObject({ delivered: 0, dropped: 0 })
      server.behaviour = accept
      await vi.waitFor(() => expect(client.stats()).toMatchObject({ delivered: 150, spooled: 0 }), 10_000)
      expect(numbers()).toEqual(range(150))
      expect(client.stats().dropped).toBe(0)
    },
  )

  it.each([400, 413])('some events with %i costs only these, which are counted and kept', async (status) => {
    await leave(100)
    server.behaviour = refuse(status, 7, 8, 71)
    await using client = clientOf()
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ delivered: 97, dropped: 3 }), 10_000)
    expect(numbers()).toEqual(range(100).filter((n) => ![7, 8, 71].includes(n)))
    expect(client.stats()).toMatchObject({ adopted: 100, droppedByReason: { refused: 3 } })
    const [kept] = names('refused')
    await vi.waitFor(() => expect(names()).toEqual([kept]))
    expect(logger.warnings.at(-1)).toContain(`status ${status}; kept in ${join(spool, kept!)}`)
    const events = readFileSync(join(spool, kept!), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => decodeLine(line))
    expect(events.map(({ data }) => JSON.parse(Buffer.from(data).toString()).n).sort()).toEqual([7, 71, 8])
    expect(statSync(join(spool, kept!)).mode & 0o777).toBe(0o600)
    // As the documentation says to bring it back.
    renameSync(join(spool, kept!), join(spool, kept!.replace('refused,', 'released,')))
    server.behaviour = accept
    await using next = clientOf()
    await vi.waitFor(() => expect(next.stats()).toMatchObject({ delivered: 3, dropped: 0 }))
    expect(numbers()).toEqual(range(100))
  })

  it('an event that is still in memory, too, costs only that one', async () => {
    server.behaviour = refuse(400, 3)
    await using client = clientOf()
    emit(client, 10)
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ delivered: 9, dropped: 1, pending: 0 }))
    expect(numbers()).toEqual(range(10).filter((n) => n !== 3))
    expect(client.stats().droppedByReason).toEqual({ refused: 1 })
    expect(names('refused')).toHaveLength(1)
  })

  it('an event that is all there is keeps it until it accepts another', async () => {
    await leave(1)
    server.behaviour = refuse(400, 0)
    await using client = clientOf()
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(4))
    expect(client.stats()).toMatchObject({ dropped: 0 })
    emit(client, 1, 1)
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ delivered: 1, dropped: 1 }), 10_000)
    expect(names('refused')).toHaveLength(1)
  })
})

describe('a line', () => {
  it('of which any bit flips costs only itself, and is kept', async () => {
    const path = await leave(3)
    const whole = readFileSync(path)
    const first = whole.indexOf('\n') + 1
    const second = whole.indexOf('\n', first) + 1
    rmSync(path)
    // Every byte of the second line, its line break included, a few at a time: one file each.
    for (let position = first; position < second; position += 5) {
      const damaged = Buffer.from(whole)
      damaged[position]! ^= 1 << (position % 8)
      writeFileSync(join(spool, releasedFileName(uuidv7())), damaged)
    }
    const lastBreak = Buffer.from(whole)
    lastBreak[second - 1]! ^= 4
    writeFileSync(join(spool, releasedFileName(uuidv7())), lastBreak)
    const files = names('released').length
    const hits = files - 1 - (((second - 1 - first) % 5 === 0 ? 1 : 0) as number)
    await using client = clientOf()
    await vi.waitFor(() => expect(client.stats().adopted).toBeGreaterThanOrEqual(3 * files - 2), 10_000)
    await vi.waitFor(() => expect(names('released')).toEqual([]))
    const count = (n: number) => numbers().filter((stored) => stored === n).length
    expect([count(0), count(2)]).toEqual([files, files])
    // A damaged line break damages no line.
    expect(count(1)).toBe(files - hits)
    expect(client.stats().droppedByReason.invalid).toBeGreaterThanOrEqual(hits)
    expect(numbers().every((n) => [0, 1, 2].includes(n))).toBe(true)
    expect(names('damaged')).toHaveLength(1)
  })

  it('that was cut, or overwritten with zeros, costs only what was hit', async () => {
    const path = await leave(100)
    const bytes = readFileSync(path)
    const starts = [0, ...[...bytes.keys()].filter((at) => bytes[at] === 10).map((at) => at + 1)]
    bytes.fill(0, starts[10]! + 5, starts[20]! + 5)
    writeFileSync(path, bytes.subarray(0, bytes.byteLength - 40))
    await using client = clientOf()
    await vi.waitFor(() => expect(names('released')).toEqual([]))
    await vi.waitFor(() => expect(client.stats().delivered).toBe(88))
    expect(numbers()).toEqual(range(99).filter((n) => n < 10 || n > 20))
  })

  it('that ends with a carriage return, or is empty, costs nothing', async () => {
    const path = await leave(3)
    writeFileSync(path, `${readFileSync(path, 'utf8').replaceAll('\n', '\r\n')}\n\0\0\0\0`)
    await using client = clientOf()
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ adopted: 3, delivered: 3, dropped: 0 }))
    await vi.waitFor(() => expect(names()).toEqual([]))
  })

  it('of a version before, without a checksum, is delivered', async () => {
    mkdirSync(spool)
    const lines = range(3).map((n) =>
      JSON.stringify({ event_id: uuidv7(), event_type: 'custom', session_id: 's', data: { n } }),
    )
    writeFileSync(join(spool, releasedFileName(uuidv7())), `${lines.join('\r\n')}\r\n`)
    await using client = clientOf()
    await vi.waitFor(() => expect(client.stats().delivered).toBe(3))
    expect(numbers()).toEqual(range(3))
  })
})

describe('what lies in the directory', () => {
  it('under a malformed name, or is no file, or cannot be read, stops nothing', async () => {
    await leave(5)
    for (const name of [
      '%,4026531836,1,2,x.jsonl',
      '%E0%A4%A,1,1,1,x.jsonl',
      ',,,,.jsonl',
      'released.jsonl',
      '\n.jsonl',
    ])
      writeFileSync(join(spool, name), 'junk\n')
    mkdirSync(join(spool, releasedFileName('folder')))
    symlinkSync('/nonexistent', join(spool, releasedFileName('dangling')))
    const closed = join(spool, releasedFileName('closed'))
    writeFileSync(closed, 'junk\n')
    chmodSync(closed, 0)
    await using client = clientOf()
    await vi.waitFor(() => expect(client.stats().delivered).toBe(5))
    expect(numbers()).toEqual(range(5))
  })

  it('counts against maxSpoolBytes, what was set aside included', async () => {
    mkdirSync(spool)
    writeFileSync(join(spool, 'refused,x.jsonl'), Buffer.alloc(10_000))
    server.behaviour = answer(503)
    await using client = clientOf({ maxSpoolBytes: 10_100, maxRetryAttempts: 0 })
    await client.flush()
    emit(client, 3)
    await vi.waitFor(() => expect(client.stats().droppedByReason).toEqual({ spool_full: 3 }))
  })
})

it('thousands of files that dead agents left are delivered with few descriptors', async () => {
  mkdirSync(spool)
  const count = 5_000
  for (let n = 0; n < count; n++) {
    const event = { event_id: uuidv7(), event_type: 'custom', session_id: 's', data: { n } }
    appendFileSync(join(spool, releasedFileName(uuidv7())), `${JSON.stringify(event)}\n`)
  }
  server.behaviour = answer(503)
  await using client = clientOf()
  await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(2))
  const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
  let most = descriptors()
  server.behaviour = (response, request) => {
    most = Math.max(most, descriptors())
    return accept(response, request)
  }
  await vi.waitFor(() => expect(client.stats().delivered).toBe(count), 20_000)
  expect(most).toBeLessThan(200)
  expect(server.requests.length).toBeLessThan(count / 10)
  expect(numbers()).toEqual(range(count))
  expect(names()).toEqual([])
})

it('a killed agent loses nothing to a rotated token', async () => {
  server.behaviour = answer(401)
  const options = { endpoint: server.url, spool, durability: 'disk' } as const
  const { child, emitted, ended } = runAgent({ options, events: 500, printIds: true, end: 'wait' })
  await emitted
  await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(1), 10_000)
  child.kill('SIGKILL')
  const { ids } = await ended
  server.behaviour = accept
  await using client = clientOf()
  await vi.waitFor(() => expect(client.stats()).toMatchObject({ delivered: 500, dropped: 0 }), 10_000)
  expect(new Set(server.storedIds)).toEqual(new Set(ids))
})
