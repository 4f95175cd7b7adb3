import { once } from 'node:events'
import net from 'node:net'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { describe, expect, it, vi } from 'vitest'

const EVENT = '{"event_type":"custom","session_id":"s"}'

/** A connection, and the text that has come on it so far. */
async function connect(url: string) {
  const socket = net.connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true })
  let text = ''
  socket.setEncoding('latin1').on('data', (part) => {
    text += part
  })
  await once(socket, 'connect')
  return { socket, text: () => text }
}

const head = (path: string, fields: readonly string[] = [], length = EVENT.length) =>
  [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${length}`,
    ...fields,
    '',
    '',
  ].join('\r\n')

describe('a client that closes its side after its request', () => {
  it('gets its answer', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const { socket, text } = await connect(receiver.url)
    socket.end(head('/events') + EVENT)
    await once(socket, 'end')
    expect(text()).toMatch(/^HTTP\/1\.1 202 Accepted/)
    socket.destroy()
  })

  it('gets its answer also from slow storage, after it was asked whether it is still there', async () => {
    const sink = new SinkExporter()
    sink.hang()
    await using receiver = await startTestReceiver([sink])
    const { socket, text } = await connect(receiver.url)
    socket.end(head('/events') + EVENT)
    await vi.waitFor(() => expect(text()).toBe('HTTP/1.1 100 Continue\r\n\r\n'), 5_000)
    sink.recover()
    await once(socket, 'end')
    expect(text()).toMatch(/HTTP\/1\.1 202 Accepted/)
    socket.destroy()
  })

  it('gets 400 when the request is not complete', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const { socket, text } = await connect(receiver.url)
    socket.end(head('/events', [], 100) + EVENT)
    await once(socket, 'end')
    expect(text()).toMatch(/^HTTP\/1\.1 400 /)
    socket.destroy()
  })
})

describe('Expect: 100-continue', () => {
  const expects = ['Expect: 100-continue']
  const token = 'Authorization: Bearer secret'

  it('is told to go on when the body will be read', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink], { AUTH_TOKENS: 'secret' })
    const { socket, text } = await connect(receiver.url)
    socket.write(head('/events', [...expects, token]))
    await vi.waitFor(() => expect(text()).toBe('HTTP/1.1 100 Continue\r\n\r\n'))
    socket.write(EVENT)
    await vi.waitFor(() => expect(text()).toMatch(/HTTP\/1\.1 202 Accepted/))
    expect(sink.records).toHaveLength(1)
    socket.destroy()
  })

  it.each<[status: number, path: string, fields: readonly string[], length: number]>([
    [401, '/events', [], 10],
    [404, '/nowhere', [token], 10],
    [413, '/events', [token], 2 ** 30],
    [415, '/events', [token, 'Content-Encoding: br'], 10],
    [405, '/metrics', [token], 10],
  ])('is answered with %i and nothing before it, without the body', async (status, path, fields, length) => {
    await using receiver = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS: 'secret' })
    const { socket, text } = await connect(receiver.url)
    socket.write(head(path, [...expects, ...fields], length))
    await vi.waitFor(() => expect(text()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `)))
    socket.destroy()
  })
})
