import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { parseResponse } from '../load/connection.ts'
import { acceptedIds, eventIdAt } from '../load/ids.ts'
import { type LoadReport, PROTOCOLS } from '../load/options.ts'
import { runLoad } from '../load/run.ts'
import { startLoad } from '../load/start.ts'
import { startReceiver } from '../servers.ts'

interface Request {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly connection: number
}

type Answer = (response: ServerResponse, number: number) => void

const servers: { close: () => void }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

const ok: Answer = (response) => {
  response.writeHead(200).end()
}

/** A target that keeps what it gets. */
async function startTarget(answer: Answer = ok): Promise<{ target: string; requests: Request[] }> {
  const requests: Request[] = []
  let connections = 0
  const numbers = new WeakMap<object, number>()
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
    requests.push({
      path: request.url ?? '',
      headers: request.headers,
      body: body.toString('latin1'),
      connection: numbers.get(request.socket) ?? -1,
    })
    answer(response, requests.length - 1)
  })
  server.on('connection', (socket) => numbers.set(socket, connections++))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push({
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  })
  return { target: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

function idsIn(requests: readonly Request[], { idPrefix }: LoadReport): string[] {
  const id = new RegExp(`${idPrefix}[0-9a-f]{12}`, 'g')
  return requests.flatMap(({ body }) => body.match(id) ?? [])
}

describe('the load generator', () => {
  for (const protocol of PROTOCOLS) {
    it(`sends every event once as ${protocol}, under the ids that it reports`, async () => {
      const { target, requests } = await startTarget()
      const report = await runLoad({ target, protocol, connections: 3, records: 20, totalEvents: 1000 })
      expect(report).toMatchObject({
        requests: 50,
        sentEvents: 1000,
        acceptedEvents: 1000,
        rejectedEvents: 0,
      })
      expect(report.statuses).toEqual({ 200: 50 })
      const ids = idsIn(requests, report)
      expect(ids).toHaveLength(1000)
      expect(new Set(ids)).toEqual(new Set(acceptedIds(report)))
    })
  }

  it('runs in a process of its own and compresses when asked to', async () => {
    const { target, requests } = await startTarget()
    const intervals: number[] = []
    const report = await startLoad(
      { target, records: 5, totalEvents: 100, gzip: true, headers: { Authorization: 'Bearer a b' } },
      { onInterval: ({ eventsPerSecond }) => intervals.push(eventsPerSecond) },
    )
    expect(report.acceptedEvents).toBe(100)
    expect(new Set(idsIn(requests, report))).toEqual(new Set(acceptedIds(report)))
    expect(requests[0]?.headers).toMatchObject({ 'content-encoding': 'gzip', authorization: 'Bearer a b' })
  })

  it('finds every event that the receiver accepted in its store', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-load-'))
    const path = join(folder, 'events.jsonl')
    const accepted: string[] = []
    {
      await using receiver = await startReceiver({ STORAGE_TYPE: 'jsonl', JSONL_PATH: path })
      for (const protocol of PROTOCOLS) {
        for (const gzip of [false, true]) {
          const report = await runLoad({
            target: receiver.url,
            protocol,
            gzip,
            records: 30,
            totalEvents: 600,
          })
          expect(report).toMatchObject({ sentEvents: 600, acceptedEvents: 600 })
          accepted.push(...acceptedIds(report))
        }
      }
    }
    const lines = readFileSync(path, 'utf8').trim().split('\n')
    const stored = lines.map((line) => (JSON.parse(line) as { event_id: string }).event_id)
    rmSync(folder, { recursive: true })
    expect(stored.sort()).toEqual(accepted.sort())
  })

  it('makes every connection an agent of its own', async () => {
    const { target, requests } = await startTarget()
    await runLoad({ target, protocol: 'rest', connections: 7, records: 2, rate: 10_000, totalEvents: 70 })
    const agents = requests.map(({ body }) => [...new Set(body.match(/agent-\d{5}/g))])
    expect(agents.every((names) => names.length === 1)).toBe(true)
    expect(new Set(agents.flat()).size).toBe(7)
    expect(new Set(requests.map(({ connection }) => connection)).size).toBe(7)
  })

  it('ends with a report when it is told to stop', async () => {
    const { target, requests } = await startTarget((response, number) => {
      ok(response, number)
      if (number === 10) stop.abort()
    })
    const stop = new AbortController()
    const report = await startLoad({ target, durationMillis: 60_000 }, { signal: stop.signal })
    expect(report.sentEvents).toBe(requests.length * 50)
    expect(report.acceptedEvents).toBe(report.sentEvents)
  })

  it('counts refused requests by status and names them', async () => {
    const { target, requests } = await startTarget((response, number) => {
      response.writeHead(number % 5 === 2 ? 503 : 200).end()
    })
    const report = await runLoad({ target, connections: 1, records: 4, totalEvents: 40 })
    expect(report.statuses).toEqual({ 200: 8, 503: 2 })
    expect(report.unacceptedRequests).toEqual([2, 7])
    expect(report).toMatchObject({ sentEvents: 40, acceptedEvents: 32 })
    const accepted = requests.filter((_, number) => number % 5 !== 2)
    expect([...acceptedIds(report)]).toEqual(idsIn(accepted, report))
  })

  it('counts the records that a partial success rejects', async () => {
    // ExportLogsServiceResponse { partial_success { rejected_log_records: 3 } }
    const protobuf = await startTarget((response) => response.end(Buffer.from([0x0a, 0x02, 0x08, 0x03])))
    const json = await startTarget((response) =>
      response.end('{"partialSuccess":{"rejectedLogRecords":"3"}}'),
    )
    const rest = await startTarget((response) => response.writeHead(202).end('{"accepted":7,"message":"x"}'))
    const options = { records: 10, totalEvents: 10 }
    const reports = [
      await runLoad({ ...options, target: protobuf.target }),
      await runLoad({ ...options, target: json.target, protocol: 'otlp-json' }),
      await runLoad({ ...options, target: rest.target, protocol: 'rest' }),
    ]
    for (const report of reports) expect(report).toMatchObject({ acceptedEvents: 7, rejectedEvents: 3 })
  })

  it('replaces a broken connection and counts what it had not answered', async () => {
    const { target } = await startTarget((response, number) => {
      if (number === 3) response.destroy()
      else ok(response, number)
    })
    const report = await runLoad({ target, connections: 1, records: 1, totalEvents: 10 })
    expect(report.statuses).toEqual({ 200: 9, none: 1 })
    expect(report.unacceptedRequests).toEqual([3])
  })

  it('counts the latency of requests that a stalled target held back from when they were due', async () => {
    const stallMillis = 400
    const { target } = await startTarget((response, number) => {
      if (number === 0) setTimeout(() => response.end(), stallMillis)
      else response.end()
    })
    // One connection, a request a millisecond: 200 requests become due while the first one is held.
    const report = await runLoad({ target, connections: 1, records: 1, rate: 1000, totalEvents: 200 })
    expect(report.acceptedEvents).toBe(200)
    expect(report.latencyMillis.p50).toBeGreaterThan(stallMillis / 2)
  })

  it('says what was due and could not be sent', async () => {
    const { target, requests } = await startTarget((response) => {
      setTimeout(() => response.end(), 100)
    })
    const report = await runLoad({ target, connections: 1, records: 10, rate: 10_000, durationMillis: 300 })
    expect(report.sentEvents).toBe(requests.length * 10)
    expect(report.unsentEvents).toBeGreaterThan(report.sentEvents)
  })

  it('fails when nothing listens at the target', async () => {
    const { target } = await startTarget()
    for (const server of servers.splice(0)) server.close()
    await expect(startLoad({ target, totalEvents: 1 })).rejects.toThrow(/cannot connect to 127\.0\.0\.1/)
  })

  it('refuses options that are wrong', async () => {
    await expect(runLoad({ target: 'https://127.0.0.1' })).rejects.toThrow('must be an http:// URL')
    await expect(startLoad({ target: 'http://127.0.0.1', rate: -1 })).rejects.toThrow('--rate')
  })

  it('numbers events in hexadecimal digits that end a UUID', () => {
    expect(eventIdAt('01234567-89ab-7cde-8f01-', 0xbeef)).toBe('01234567-89ab-7cde-8f01-00000000beef')
  })
})

describe('parseResponse', () => {
  const bytes = (text: string) => Buffer.from(text, 'latin1')

  it('waits for the whole answer', () => {
    const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
    for (let length = 0; length < whole.length; length++) {
      expect(parseResponse(bytes(whole.slice(0, length)))).toBeNull()
    }
    expect(parseResponse(bytes(whole))).toEqual({ status: 200, body: bytes('hello') })
  })

  it('joins chunks', () => {
    const whole =
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n'
    for (let length = 0; length < whole.length; length++) {
      expect(parseResponse(bytes(whole.slice(0, length)))).toBeNull()
    }
    expect(parseResponse(bytes(whole))).toEqual({ status: 200, body: bytes('hello world') })
  })

  it('takes 204 without a body, and no other answer without a length', () => {
    expect(parseResponse(bytes('HTTP/1.1 204 No Content\r\n\r\n'))).toEqual({ status: 204, body: bytes('') })
    expect(parseResponse(bytes('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello'))).toBe('invalid')
  })
})
