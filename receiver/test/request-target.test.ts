import { once } from 'node:events'
import net from 'node:net'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { decodeStatus } from '@agentic-hooks/testing/otlp'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../src/config/options.ts'

const EVENT = '{"event_type":"custom","session_id":"s"}'

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Sends the head of a request as it is written here, and a body where the request has one. */
async function raw(url: string, lines: readonly string[], body = ''): Promise<Answer> {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (part) => {
    text += part
  })
  const length = body ? [`Content-Length: ${body.length}`] : []
  socket.write(`${[...lines, ...length, 'Connection: close', '', ''].join('\r\n')}${body}`)
  await once(socket, 'close')
  const [head = '', answerBody = ''] = text.split('\r\n\r\n')
  return { status: Number(head.slice(9, 12)), head, body: answerBody }
}

const getFrom = (url: string, host: string, path = '/health/live') =>
  raw(url, [`GET ${path} HTTP/1.1`, `Host: ${host}`])
const postTo = (url: string, path: string, lines: readonly string[], type = 'application/json') =>
  raw(url, [`POST ${path} HTTP/1.1`, `Content-Type: ${type}`, ...lines], EVENT)

const LOOPBACK = [
  'localhost',
  'LOCALHOST:4318',
  'localhost.',
  '127.0.0.1:1',
  '127.8.9.1',
  '[::1]:80',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
]
const FOREIGN = [
  'rebind.evil.example:4318',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'evil.localhost',
  '10.0.0.1',
  '[fe80::1]',
  '0',
  '2130706433',
]
const INVALID = [
  '',
  ' ',
  'a b',
  'user@localhost',
  'localhost:port',
  'localhost/',
  '[::1',
  'http://localhost',
  'localhost, evil.example',
  'localhöst',
]
const ROUTES = ['/v1/logs', '/events', '/events/batch', '/hooks/claude-code']

describe('the host that a request names, on the loopback and without tokens', () => {
  it.each(LOOPBACK)('may be %s', async (host) => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    expect((await getFrom(receiver.url, host)).status).toBe(200)
  })

  it.each(FOREIGN)('must not be %s, on any route and on either port', async (host) => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink], { ADMIN_PORT: '0' })
    for (const path of ROUTES)
      expect((await postTo(receiver.url, path, [`Host: ${host}`])).status, path).toBe(403)
    for (const path of ['/metrics', '/health', '/health/ready', '/nowhere'])
      for (const url of [receiver.url, receiver.adminUrl!])
        expect((await getFrom(url, host, path)).status, path).toBe(403)
    expect(sink.records).toEqual([])
  })

  it('may be one of PUBLIC_HOSTS, with any port', async () => {
    const env = { PUBLIC_HOSTS: 'Events.example.com, 10.0.0.1,[fd00::1]' }
    await using receiver = await startTestReceiver([new SinkExporter()], env)
    for (const host of ['events.example.com', 'EVENTS.example.com:8080', '10.0.0.1:4318', '[fd00:0::1]:80'])
      expect((await getFrom(receiver.url, host)).status, host).toBe(200)
    expect((await getFrom(receiver.url, 'example.com')).status).toBe(403)
  })

  it('may be any where the receiver listens elsewhere, unless PUBLIC_HOSTS names some', async () => {
    await using open = await startTestReceiver([new SinkExporter()], { HOST: '0.0.0.0' })
    expect((await getFrom(open.url, 'receiver:4318')).status).toBe(200)
    await using named = await startTestReceiver([new SinkExporter()], {
      HOST: '0.0.0.0',
      PUBLIC_HOSTS: 'receiver',
    })
    expect((await getFrom(named.url, 'receiver:4318')).status).toBe(200)
    expect((await getFrom(named.url, 'rebind.evil.example')).status).toBe(403)
    expect((await getFrom(named.url, '127.0.0.1')).status).toBe(200)
  })

  it('may be missing in HTTP/1.0, which no browser speaks', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    expect((await raw(receiver.url, ['GET /health/live HTTP/1.0'])).status).toBe(200)
  })

  it.each(['http://events.example.com', 'events.example.com:80', 'a b', '*', ','])(
    'must be a name without a port in PUBLIC_HOSTS, not %s',
    (value) => {
      expect(() => readConfig({ PUBLIC_HOSTS: value })).toThrow('it must be names or addresses of hosts')
    },
  )
})

describe('a host that cannot be one', () => {
  it.each(INVALID)('gets 400: %j', async (host) => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const answer = await postTo(receiver.url, '/events', [`Host: ${Buffer.from(host).toString('latin1')}`])
    expect([answer.status, JSON.parse(answer.body).detail]).toEqual([400, expect.stringContaining('Host')])
  })

  it('gets 400 when there are two of them, or none in HTTP/1.1', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const two = ['Host: localhost', 'hOST: evil.example']
    for (const path of ROUTES) {
      expect((await postTo(receiver.url, path, two)).status).toBe(400)
      expect((await postTo(receiver.url, path, [])).status).toBe(400)
    }
  })

  it('is answered in the format of the route', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const json = await postTo(receiver.url, '/v1/logs', ['Host: evil.example'])
    expect(JSON.parse(json.body)).toEqual({ code: 7, message: expect.stringContaining('PUBLIC_HOSTS') })
    const protobuf = await postTo(receiver.url, '/v1/logs', ['Host: evil.example'], 'application/x-protobuf')
    expect(protobuf.head).toContain('content-type: application/x-protobuf')
    expect(decodeStatus(Buffer.from(protobuf.body, 'latin1'))).toMatchObject({ code: 7 })
    const rest = await postTo(receiver.url, '/events', ['Host: evil.example'])
    expect(JSON.parse(rest.body)).toEqual({ detail: expect.stringContaining('the host evil.example is not') })
  })
})

describe('the host that a request names, with tokens', () => {
  const token = 'Authorization: Bearer secret'

  it('may be any with a token; without one the answer is 401, whatever the host', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS: 'secret' })
    expect((await postTo(receiver.url, '/events', ['Host: events.example.com', token])).status).toBe(202)
    for (const hosts of [['Host: evil.example'], ['Host: a b'], ['Host: a', 'Host: b'], []])
      for (const path of ROUTES) expect((await postTo(receiver.url, path, hosts)).status).toBe(401)
    for (const hosts of [['Host: a b'], ['Host: a', 'Host: b'], []])
      for (const path of ROUTES)
        expect((await postTo(receiver.url, path, [...hosts, token])).status).toBe(400)
  })
})

describe('a request target that is a whole URL', () => {
  it.each(['/events', '/v1/logs', '/events?x=1', '/hooks/claude-code'])(
    'is taken for its path: %s',
    async (path) => {
      await using receiver = await startTestReceiver([new SinkExporter()])
      const direct = await postTo(receiver.url, path, ['Host: localhost'])
      const whole = await postTo(receiver.url, `http://localhost:4318${path}`, ['Host: localhost'])
      expect([whole.status, whole.body]).toEqual([direct.status, direct.body])
    },
  )

  it('counts more than Host', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const target = (url: string, host: string) => postTo(receiver.url, url, [`Host: ${host}`])
    expect((await target('http://evil.example/events', 'localhost')).status).toBe(403)
    expect((await target('HTTP://127.0.0.1/events', 'evil.example')).status).toBe(202)
    expect((await raw(receiver.url, ['GET http://localhost HTTP/1.1', 'Host: localhost'])).status).toBe(404)
  })

  it.each([
    'http://[broken/x',
    'http:///events',
    'ftp://localhost/events',
    'http://u@localhost/events',
    'http://localhost:x/events',
  ])('gets 400 in JSON when it is broken, and 401 before that: %s', async (target) => {
    await using open = await startTestReceiver([new SinkExporter()])
    const answer = await postTo(open.url, target, ['Host: localhost'])
    expect(answer.status).toBe(400)
    expect(answer.head).toContain('content-type: application/json')
    await using guarded = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS: 'secret' })
    expect((await postTo(guarded.url, target, ['Host: localhost'])).status).toBe(401)
  })

  it('may be * for OPTIONS, where there is nothing', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const answer = await raw(receiver.url, ['OPTIONS * HTTP/1.1', 'Host: localhost'])
    expect([answer.status, JSON.parse(answer.body).detail]).toEqual([404, expect.any(String)])
  })
})
