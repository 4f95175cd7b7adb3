import { once } from 'node:events'
import { ServerResponse } from 'node:http'
import net from 'node:net'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { send } from '@agentic-hooks/testing/http'
import { startTestReceiver, type TestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Metrics } from '../src/metrics.ts'

const METRICS = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'
const post = (session: string) => {
  const body = JSON.stringify({ event_type: 'custom', session_id: session })
  const head = `POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json`
  return `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

async function connect(receiver: TestReceiver): Promise<net.Socket> {
  const socket = net.connect(Number(new URL(receiver.url).port), '127.0.0.1')
  socket.setEncoding('latin1').on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** What the server sends until it closes the connection. */
async function readAll(socket: net.Socket): Promise<string> {
  let text = ''
  socket.on('data', (part) => {
    text += part
  })
  await once(socket, 'close')
  return text
}

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)

afterEach(() => void vi.restoreAllMocks())

describe('requests that come before the answer to those before them', () => {
  it('are handled one after the other and answered in their order', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const socket = await connect(receiver)
    const names = Array.from({ length: 60 }, (_, index) => `s${index}`)
    const last = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    socket.write(names.map(post).join('') + last)
    expect(statuses(await readAll(socket))).toEqual([...names.map(() => '202'), '200'])
    expect(sink.records.map(({ sessionId }) => sessionId)).toEqual(names)
  })

  it('are answered also when they come in pieces', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const socket = await connect(receiver)
    const all = Array.from({ length: 20 }, (_, index) => post(`s${index}`)).join('')
    const answers = readAll(socket)
    for (let offset = 0; offset < all.length; offset += 100) {
      socket.write(all.slice(offset, offset + 100))
      await new Promise(setImmediate)
    }
    socket.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    expect(statuses(await answers)).toHaveLength(21)
  })

  it('are answered up to MAX_PIPELINED_REQUESTS, then the connection is closed', async () => {
    const sink = new SinkExporter()
    sink.hang()
    await using receiver = await startTestReceiver([sink], { MAX_PIPELINED_REQUESTS: '5' })
    const socket = await connect(receiver)
    socket.write(Array.from({ length: 20 }, (_, index) => post(`s${index}`)).join(''))
    await vi.waitFor(() => expect(sink.calls).toHaveLength(1))
    sink.recover()
    const answers = await readAll(socket)
    expect(sink.records).toHaveLength(6)
    expect(statuses(answers)).toEqual(Array(6).fill('202'))
    expect(answers.match(/^connection: \S+/gim)?.map((line) => line.toLowerCase())).toEqual([
      ...Array(5).fill('connection: keep-alive'),
      'connection: close',
    ])
  })

  it('wait while the client does not read, and are answered when it does', async () => {
    const rendered = vi.spyOn(Metrics.prototype, 'render')
    await using receiver = await startTestReceiver([new SinkExporter()], {
      MAX_PIPELINED_REQUESTS: '100000',
    })
    const socket = await connect(receiver)
    socket.pause()
    socket.write(METRICS.repeat(2_000))
    await vi.waitFor(() => expect(rendered).toHaveBeenCalled())
    for (let request = 0; request < 50; request++)
      expect((await send(receiver.url, { method: 'GET', path: '/health/live' })).status).toBe(200)
    expect(rendered.mock.calls.length).toBeLessThan(1_000)

    let answers = 0
    socket.on('data', (text: string) => {
      answers += text.split('hooks_uptime_seconds gauge').length - 1
    })
    socket.resume()
    await vi.waitFor(() => expect(answers).toBeGreaterThan(1_900), 20_000)
    socket.destroy()
  })
})

describe('an answer that its client does not read', () => {
  it('is given up with its connection after REQUEST_TIMEOUT_MILLIS', async () => {
    const destroyed = vi.spyOn(ServerResponse.prototype, 'destroy')
    await using receiver = await startTestReceiver([new SinkExporter()], {
      HEADERS_TIMEOUT_MILLIS: '500',
      REQUEST_TIMEOUT_MILLIS: '500',
      MAX_PIPELINED_REQUESTS: '100000',
    })
    const socket = await connect(receiver)
    socket.pause()
    socket.write(METRICS.repeat(1_500))
    await vi.waitFor(() => expect(destroyed).toHaveBeenCalled(), 10_000)
    socket.destroy()
  })
})
