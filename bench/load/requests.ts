import { gzipSync } from 'node:zlib'
import type { Micros } from '@agentic-hooks/events'
import { JsonLogsSerializer, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import { encodeBody } from './body.ts'
import { Markers } from './markers.ts'
import type { Protocol } from './options.ts'

const ROUTES: Readonly<Record<Protocol, { path: string; contentType: string }>> = {
  'otlp-protobuf': { path: '/v1/logs', contentType: 'application/x-protobuf' },
  'otlp-json': { path: '/v1/logs', contentType: 'application/json' },
  rest: { path: '/events/batch', contentType: 'application/json' },
}

export interface RequestOptions {
  readonly target: URL
  readonly protocol: Protocol
  readonly records: number
  readonly gzip: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly idPrefix: string
}

/** Requests ready to send, made from copies of one that was encoded beforehand. */
export class Requests {
  readonly bodyBytes: number
  readonly #headBytes: number
  readonly #gzip: boolean
  readonly #head: (contentLength: number) => Buffer
  readonly #request: Buffer
  readonly #markers: Markers
  readonly #free: Buffer[] = []

  constructor(options: RequestOptions) {
    const body = encodeBody(options.protocol, options.records, options.idPrefix)
    this.#gzip = options.gzip
    this.#head = (contentLength) => Buffer.from(requestHead(options, contentLength))
    const head = this.#head(body.length)
    this.bodyBytes = body.length
    this.#headBytes = head.length
    this.#request = Buffer.concat([head, body])
    this.#markers = new Markers(options.protocol, this.#request, options.records)
  }

  /** The request with the events numbered from `firstEvent` on; give it back to `release` when it is sent. */
  take(firstEvent: number, agent: number, micros: Micros): Buffer {
    const request = this.#free.pop() ?? Buffer.from(this.#request)
    this.#markers.overwrite(request, firstEvent, agent, micros)
    if (!this.#gzip) return request
    const body = gzipSync(request.subarray(this.#headBytes), { level: 1 })
    this.#free.push(request)
    return Buffer.concat([this.#head(body.length), body])
  }

  release(request: Buffer): void {
    if (!this.#gzip) this.#free.push(request)
  }
}

function requestHead({ target, protocol, gzip, headers }: RequestOptions, contentLength: number): string {
  const { path, contentType } = ROUTES[protocol]
  const all = {
    Host: target.host,
    'User-Agent': 'agentic-hooks-load',
    'Content-Type': contentType,
    ...(gzip && { 'Content-Encoding': 'gzip' }),
    'Content-Length': contentLength,
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST ${target.pathname === '/' ? path : target.pathname}${target.search} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** How many events of an accepted request its answer calls rejected. */
export function rejectedEvents(protocol: Protocol, records: number, body: Buffer): number {
  // Nearly every answer says that all is well: nothing in protobuf, `{}` in JSON.
  if (body.length <= 2) return 0
  if (protocol === 'rest') {
    const { accepted } = JSON.parse(body.toString()) as { accepted?: number }
    return accepted === undefined ? 0 : records - accepted
  }
  const serializer = protocol === 'otlp-json' ? JsonLogsSerializer : ProtobufLogsSerializer
  return Number(serializer.deserializeResponse(body).partialSuccess?.rejectedLogRecords ?? 0)
}
