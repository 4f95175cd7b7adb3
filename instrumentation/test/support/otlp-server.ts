import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { nowMicros, type Rejection, type StoredEvent, toHookEvent } from '@agentic-hooks/events'
import { decodeOtlpJson, decodeOtlpProtobuf } from '@agentic-hooks/receiver/decode'

/** A request as it came, and the events in it as the receiver would store them. */
export interface ReceivedRequest {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly bytes: number
  readonly events: readonly StoredEvent[]
  readonly rejections: readonly Rejection[]
  /** The `data` of each event as the receiver would store it. */
  readonly dataJson: readonly string[]
}

/** Answers one request. Returns how many of its events count as stored: all when it returns nothing. */
export type Behaviour = (
  response: ServerResponse,
  request: ReceivedRequest,
) => number | undefined | Promise<void>

const PROTOBUF = { 'content-type': 'application/x-protobuf' }

export const accept: Behaviour = (response) => {
  response.writeHead(200, PROTOBUF).end()
  return undefined
}

export function answer(status: number, headers: Record<string, string> = {}, body = ''): Behaviour {
  return (response) => {
    response.writeHead(status, headers).end(body)
    return 0
  }
}

/** 200 with `partial_success` in the request's encoding. */
export function rejectSome(count: number, message = 'too old'): Behaviour {
  return (response, { headers, events }) => {
    if (headers['content-type'] === 'application/json') {
      const partialSuccess = { rejectedLogRecords: String(count), errorMessage: message }
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
      response.end(JSON.stringify({ partialSuccess }))
    } else {
      const text = Buffer.from(message)
      const partial = Buffer.concat([Buffer.from([0x08, count, 0x12, text.length]), text])
      response.writeHead(200, PROTOBUF).end(Buffer.concat([Buffer.from([0x0a, partial.length]), partial]))
    }
    return events.length - count
  }
}

/** Ends the connection in the middle of the answer. */
export const closeHalfway: Behaviour = (response) => {
  response.writeHead(200, { ...PROTOBUF, 'content-length': '100' })
  response.write('half', () => response.socket?.destroy())
  return 0
}

/** Ends the connection without any answer. */
export const closeAtOnce: Behaviour = (response) => {
  response.socket?.destroy()
  return 0
}

/** Never answers. */
export const hang: Behaviour = () => 0

/** A peer that speaks no HTTP at all. */
export const talkNonsense: Behaviour = (response) => {
  response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n')
  return 0
}

/** An OTLP server that does to its clients whatever a test wants. */
export class OtlpServer implements AsyncDisposable {
  readonly requests: ReceivedRequest[] = []
  /** Of the requests that were answered with success. */
  readonly stored: StoredEvent[] = []
  connections = 0
  /** For every request that has none in `next`. */
  behaviour: Behaviour = accept
  /** For the next requests, in this order. */
  readonly next: Behaviour[] = []
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  static async start(port = 0): Promise<OtlpServer> {
    const server = new OtlpServer()
    server.#server.on('connection', () => server.connections++)
    server.#server.listen(port, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get storedIds(): string[] {
    return this.stored.map(({ eventId }) => eventId)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const received = await receive(request)
    this.requests.push(received)
    const behaviour = this.next.shift() ?? this.behaviour
    const stored = (await behaviour(response, received)) ?? received.events.length
    this.stored.push(...received.events.slice(0, stored))
  }
}

async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const raw = Buffer.concat(await request.toArray())
  const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw
  const decode = request.headers['content-type'] === 'application/json' ? decodeOtlpJson : decodeOtlpProtobuf
  const { batch, rejected } = decode(body, nowMicros())
  return {
    path: request.url ?? '',
    headers: request.headers,
    bytes: raw.byteLength,
    events: batch.events.map(toHookEvent),
    rejections: rejected,
    dataJson: batch.events.map(({ data }) => Buffer.from(data).toString()),
  }
}
