import http from 'node:http'
import net from 'node:net'
import zlib from 'node:zlib'

/** How much of it. */
export interface Scale {
  /** Connections of the attacks that only wait. */
  readonly slowConnections: number
  /** Between two drops of each. */
  readonly dripMillis: number
  /** Connections of the attacks that send much. */
  readonly heavyConnections: number
  /** Larger than the limit of the receiver. */
  readonly bombBytes: number
  /** As large as the receiver takes. */
  readonly bodyBytes: number
  readonly records: number
}

/** How often each status came; 0 is a connection that was closed without one. */
export type Statuses = Record<number, number>

/** One way to harm a receiver; resolves when every connection of it has ended. */
export type Attack = (url: URL, scale: Scale) => Promise<Statuses>

const JSON_TYPE = 'application/json'

export const ATTACKS: Readonly<Record<string, Attack>> = {
  'gzip bombs': (url, scale) => {
    const body = zlib.gzipSync(Buffer.alloc(scale.bombBytes))
    return heavy(scale, () => post(url, body, { 'content-encoding': 'gzip' }))
  },

  'zstd bombs': (url, scale) => {
    const body = zlib.zstdCompressSync(Buffer.alloc(scale.bombBytes))
    return heavy(scale, () => post(url, body, { 'content-encoding': 'zstd' }))
  },

  'gzip in gzip, declared': (url, scale) => {
    const body = zlib.gzipSync(zlib.gzipSync(Buffer.alloc(scale.bombBytes)))
    return heavy(scale, () => post(url, body, { 'content-encoding': 'gzip, gzip' }))
  },

  'gzip in gzip, not declared': (url, scale) => {
    const body = zlib.gzipSync(zlib.gzipSync(Buffer.alloc(scale.bombBytes)))
    return heavy(scale, () => post(url, body, { 'content-encoding': 'gzip' }))
  },

  'endless chunked bodies': (url, scale) => heavy(scale, () => endless(url)),

  'bodies above the limit': (url, scale) => {
    const body = Buffer.alloc(scale.bodyBytes * 8, ' ')
    return heavy(scale, () => post(url, body))
  },

  'bodies at the limit': (url, scale) => {
    const body = JSON.stringify({ x: 'x'.repeat(scale.bodyBytes - 8) })
    return heavy(scale, () => post(url, body))
  },

  'bodies of brackets': (url, scale) => {
    const body = '['.repeat(scale.bodyBytes)
    return heavy(scale, () => post(url, body))
  },

  'bodies of empty objects': (url, scale) => {
    const body = `{"resourceLogs":[${'{},'.repeat(scale.bodyBytes / 3 - 10)}{}]}`
    return heavy(scale, () => post(url, body))
  },

  'batches of very many records': (url, scale) => {
    const record = { attributes: [{ key: 'session.id', value: { stringValue: 's1' } }] }
    const logRecords = Array.from({ length: scale.records }, () => record)
    const body = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
    return heavy(scale, () => post(url, body))
  },

  'headers that never end': (url, scale) =>
    all(scale.slowConnections, () =>
      drip(url, 'POST /v1/logs HTTP/1.1\r\nHost: localhost\r\n', 'X: y\r\n', scale),
    ),

  'bodies that never end': (url, scale) =>
    all(scale.slowConnections, () =>
      drip(
        url,
        `POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: 1000000\r\n\r\n`,
        ' ',
        scale,
      ),
    ),
}

function heavy(scale: Scale, attack: () => Promise<number>): Promise<Statuses> {
  return all(scale.heavyConnections, attack)
}

async function all(connections: number, attack: () => Promise<number>): Promise<Statuses> {
  const statuses: Statuses = {}
  const count = (status: number) => {
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  await Promise.all(Array.from({ length: connections }, () => attack().then(count, () => count(0))))
  return statuses
}

function request(url: URL, headers: http.OutgoingHttpHeaders = {}) {
  const sent = http.request(new URL('/v1/logs', url), {
    method: 'POST',
    agent: false,
    headers: { 'content-type': JSON_TYPE, ...headers },
  })
  const status = new Promise<number>((resolve, reject) => {
    sent.on('response', (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    sent.on('error', reject)
  })
  return { sent, status }
}

function post(url: URL, body: Buffer | string, headers?: http.OutgoingHttpHeaders): Promise<number> {
  const { sent, status } = request(url, headers)
  sent.end(body)
  return status
}

/** Sends until it is answered, then goes on until the connection is closed. */
async function endless(url: URL): Promise<number> {
  const { sent, status } = request(url)
  const chunk = Buffer.alloc(64 * 1024, ' ')
  const more = () => {
    while (!sent.destroyed && sent.write(chunk));
  }
  sent.on('drain', more)
  more()
  const closed = new Promise((resolve) => sent.on('close', resolve))
  const answered = await status
  await closed
  return answered
}

/** Sends the head, then a little every now and then, until the server closes the connection. */
function drip(url: URL, head: string, drop: string, { dripMillis }: Scale): Promise<number> {
  return new Promise((resolve) => {
    const socket = net.connect(Number(url.port), url.hostname)
    let received = ''
    socket.write(head)
    const timer = setInterval(() => socket.write(drop), dripMillis)
    socket.setEncoding('latin1').on('data', (text) => {
      received += text
    })
    socket.on('error', () => {}) // Reset, perhaps after an answer.
    socket.on('close', () => {
      clearInterval(timer)
      resolve(Number(received.split(' ')[1] ?? 0))
    })
  })
}
