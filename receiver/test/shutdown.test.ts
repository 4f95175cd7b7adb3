import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uuidv7 } from '@agentic-hooks/events'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readAcmeFile } from './support/acme.ts'

const CLIENTS = 40
const EVENTS_PER_REQUEST = 5

const event = {
  path: '/events',
  headers: { 'content-type': 'application/json' },
  body: '{"event_type":"custom","session_id":"s1"}',
}

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'receiver-shutdown-'))
})

afterEach(() => rm(directory, { recursive: true }))

/** A client that posts one batch after another on one connection until the server does not take it any more. */
async function postUntilRefused(url: string, answered: string[]): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  for (;;) {
    const events = Array.from({ length: EVENTS_PER_REQUEST }, () => ({
      event_type: 'custom',
      session_id: 's1',
      event_id: uuidv7(),
    }))
    const request = {
      path: '/events/batch',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events),
    }
    try {
      const { status } = await send(url, request, agent)
      expect([202, 503]).toContain(status)
      if (status === 202) answered.push(...events.map(({ event_id }) => event_id))
    } catch (error) {
      // Refused before it was sent: the only way to end without an answer.
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return agent.destroy()
      throw error
    }
  }
}

describe('SIGTERM under load', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: every request gets an answer, every answered event is stored',
    async (signal) => {
      const path = join(directory, 'events')
      const exporter = new URL('support/acme-exporter/index.js', import.meta.url).pathname
      await using receiver = await startReceiver({
        env: { EXPORTERS: JSON.stringify([{ package: exporter, options: { path } }]) },
      })
      const answered: string[] = []
      const clients = Array.from({ length: CLIENTS }, () => postUntilRefused(receiver.url, answered))
      await vi.waitFor(() => expect(answered.length).toBeGreaterThan(CLIENTS * EVENTS_PER_REQUEST), 10_000)
      receiver.kill(signal)
      await Promise.all(clients)
      expect(await receiver.exited).toEqual({ code: 0, signal: null })
      const stored = new Set((await readAcmeFile(path)).map(({ eventId }) => eventId))
      expect(answered.filter((eventId) => !stored.has(eventId))).toEqual([])
      expect(receiver.log.at(-1)!.msg).toBe('stopped')
    },
  )

  it('a second signal ends at once', async () => {
    const exporter = new URL('../../testing/src/null-exporter.js', import.meta.url).pathname
    await using receiver = await startReceiver({
      env: { EXPORTERS: JSON.stringify([{ package: exporter, options: { delayMillis: 60_000 } }]) },
    })
    const unanswered = expect(send(receiver.url, event)).rejects.toThrow('socket hang up')
    await vi.waitFor(async () => {
      const { body } = await send(receiver.url, { method: 'GET', path: '/metrics' })
      expect(body.toString()).toContain('hooks_in_flight_requests 1')
    })
    receiver.kill('SIGTERM')
    await vi.waitFor(() => expect(receiver.log.at(-1)!.msg).toBe('shutting down'))
    receiver.kill('SIGTERM')
    expect(await receiver.exited).toEqual({ code: 143, signal: null })
    await unanswered
  })
})

describe('close', () => {
  it('answers what is in flight with Connection: close, then shuts the exporters down', async () => {
    const sink = new SinkExporter()
    sink.hang()
    const receiver = await startTestReceiver([sink])
    const agent = new http.Agent({ keepAlive: true })
    const answer = send(receiver.url, event, agent)
    await vi.waitFor(() => expect(sink.calls).toHaveLength(1))
    const closed = receiver.close()
    expect(sink.isShutdown).toBe(false)
    sink.recover()
    expect(await answer).toMatchObject({ status: 202, headers: { connection: 'close' } })
    await closed
    expect(sink.isShutdown).toBe(true)
    expect(sink.records).toHaveLength(1)
    agent.destroy()
  })

  it('answers one more request on an open connection', async () => {
    const sink = new SinkExporter()
    sink.hang()
    const receiver = await startTestReceiver([sink])
    const agent = new http.Agent({ keepAlive: true })
    const other = new http.Agent({ keepAlive: true })
    await send(receiver.url, { method: 'GET', path: '/health/live' }, other)
    const inFlight = send(receiver.url, event, agent)
    await vi.waitFor(() => expect(sink.calls).toHaveLength(1))
    const closed = receiver.close()
    const ready = await send(receiver.url, { method: 'GET', path: '/health/ready' }, other)
    expect(ready).toMatchObject({ status: 503, headers: { connection: 'close' } })
    expect(JSON.parse(ready.body.toString())).toMatchObject({ reason: 'shutting down' })
    sink.recover()
    await Promise.all([inFlight, closed])
    agent.destroy()
    other.destroy()
  })

  it('takes no new connections', async () => {
    const receiver = await startTestReceiver([new SinkExporter()])
    await receiver.close()
    await expect(send(receiver.url, event)).rejects.toThrow('ECONNREFUSED')
  })

  it('answers 503 to what storage does not let end within the grace period', async () => {
    const sink = new SinkExporter()
    sink.hang()
    const receiver = await startTestReceiver([sink], { SHUTDOWN_GRACE_MILLIS: '500' })
    const answer = send(receiver.url, event)
    await vi.waitFor(() => expect(sink.calls).toHaveLength(1))
    await receiver.close()
    expect(await answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
  })

  it('answers 503 to a body that does not arrive within the grace period', async () => {
    const receiver = await startTestReceiver([new SinkExporter()], { SHUTDOWN_GRACE_MILLIS: '500' })
    const socket = net.connect(Number(new URL(receiver.url).port), '127.0.0.1')
    let received = ''
    socket.setEncoding('utf8').on('data', (text) => {
      received += text
    })
    socket.write(
      'POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    )
    await vi.waitFor(async () => {
      const { body } = await send(receiver.url, { method: 'GET', path: '/metrics' })
      expect(body.toString()).toContain('hooks_in_flight_requests 1')
    })
    await Promise.all([receiver.close(), once(socket, 'close')])
    expect(received).toMatch(/^HTTP\/1.1 503 /)
  })

  it('rejects when an exporter does not end within the grace period', async () => {
    const sink = new SinkExporter()
    sink.shutdown = () => new Promise(() => {})
    const receiver = await startTestReceiver([sink], { SHUTDOWN_GRACE_MILLIS: '50' })
    await expect(receiver.close()).rejects.toThrow(
      'exporters did not shut down within SHUTDOWN_GRACE_MILLIS (50)',
    )
  })

  it('closes connections that stay idle', async () => {
    const receiver = await startTestReceiver([new SinkExporter()])
    const socket = net.connect(Number(new URL(receiver.url).port), '127.0.0.1')
    await once(socket, 'connect')
    await Promise.all([receiver.close(), once(socket, 'close')])
    expect(socket.errored).toBe(null)
  })
})
