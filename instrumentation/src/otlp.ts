import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { JsonLogsSerializer, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import type { ClientConfig } from './config.ts'
import { borrowConnections, type Connections } from './connections.ts'
import type { HookLogRecord } from './log-record.ts'
import { INSTRUMENTATION_SCOPE } from './resource.ts'
import { type Batch, isRetryable, type Outcome, type Transport } from './transport.ts'

const PROTOCOLS = {
  'http/protobuf': { contentType: 'application/x-protobuf', serializer: ProtobufLogsSerializer },
  'http/json': { contentType: 'application/json', serializer: JsonLogsSerializer },
} as const

/** An answer is a few bytes, or an error page; no more of it is read. */
const MAX_ANSWER_BYTES = 64 * 1024
const MAX_SHOWN_ANSWER_LENGTH = 200

interface Answer {
  readonly status: number
  readonly contentType: string
  readonly retryAfter: string | undefined
  readonly body: Buffer
}

/**
 * OTLP over HTTP. No request keeps the process alive: its sockets are unreferenced, and a connection attempt,
 * which cannot be, is bounded by shutdownTimeoutMillis.
 */
export class OtlpTransport implements Transport {
  readonly destination: string
  readonly #config: ClientConfig
  readonly #connections: Connections
  readonly #requests = new Set<ClientRequest>()

  constructor(config: ClientConfig) {
    this.destination = config.endpoint.href
    this.#config = config
    this.#connections = borrowConnections(config.endpoint, config.tls)
  }

  async send(batch: Batch): Promise<Outcome> {
    try {
      batch.body ??= await this.#serialize(batch.records)
    } catch (error) {
      return { kind: 'refused', message: `the batch cannot be serialized: ${error}` }
    }
    try {
      const headers = await this.#headers()
      const answer = await this.#postAgainWhenStale(batch.body, headers)
      return outcomeOf(answer, batch.records.length)
    } catch (error) {
      return { kind: 'unavailable', message: describe(error) }
    }
  }

  abort(): void {
    for (const request of this.#requests) request.destroy(new Error('given up'))
  }

  async close(): Promise<void> {
    this.abort()
    this.#connections.release()
  }

  async #serialize(records: readonly HookLogRecord[]): Promise<Uint8Array> {
    const { serializer } = PROTOCOLS[this.#config.protocol]
    const serialized = serializer.serializeRequest([...records]) as Uint8Array
    const body = serializer === JsonLogsSerializer ? withExactNumbers(serialized) : serialized
    return this.#config.compression === 'gzip' ? compress(body) : body
  }

  async #headers(): Promise<OutgoingHttpHeaders> {
    const { headers, protocol, compression } = this.#config
    return {
      'user-agent': `agentic-hooks/${INSTRUMENTATION_SCOPE.version}`,
      ...(typeof headers === 'function' ? await this.#inTime(headers) : headers),
      'content-type': PROTOCOLS[protocol].contentType,
      ...(compression === 'gzip' && { 'content-encoding': 'gzip' }),
    }
  }

  async #inTime<T>(ask: () => T | Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const { exportTimeoutMillis } = this.#config
    const error = new Error(`the headers function did not answer within ${exportTimeoutMillis} ms`)
    const timer = setTimeout(reject, exportTimeoutMillis, error).unref()
    return Promise.race([ask(), late]).finally(() => clearTimeout(timer))
  }

  /** A server may close an idle connection at the moment that it is used again: that says nothing about the server. */
  async #postAgainWhenStale(body: Uint8Array, headers: OutgoingHttpHeaders): Promise<Answer> {
    for (;;) {
      const request = this.#connections.request(this.#config.endpoint, {
        method: 'POST',
        agent: this.#connections.agent,
        headers: { ...headers, 'content-length': body.byteLength },
      })
      try {
        return await this.#exchange(request, body)
      } catch (error) {
        if (!request.reusedSocket || (error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
      }
    }
  }

  #exchange(request: ClientRequest, body: Uint8Array): Promise<Answer> {
    const { exportTimeoutMillis, shutdownTimeoutMillis } = this.#config
    this.#requests.add(request)
    return new Promise<Answer>((resolve, reject) => {
      const timers: NodeJS.Timeout[] = []
      const giveUpAfter = (millis: number, problem: string) => {
        const error = new Error(`${problem} within ${millis} ms`)
        const timer = setTimeout(() => request.destroy(error), millis).unref()
        timers.push(timer)
        return timer
      }
      request.on('socket', (socket) => {
        socket.unref()
        giveUpAfter(exportTimeoutMillis, 'no answer')
        if (!socket.connecting) return
        const connectTimer = giveUpAfter(
          Math.min(shutdownTimeoutMillis, exportTimeoutMillis),
          'no connection',
        )
        socket.once('connect', () => clearTimeout(connectTimer))
      })
      request.on('response', (response) => readAnswer(response).then(resolve, reject))
      request.on('error', reject)
      request.on('close', () => {
        for (const timer of timers) clearTimeout(timer)
        this.#requests.delete(request)
      })
      request.end(body)
    })
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) break
  }
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '',
    retryAfter: response.headers['retry-after'],
    body: Buffer.concat(chunks),
  }
}

function outcomeOf(answer: Answer, records: number): Outcome {
  const { status } = answer
  if (status >= 200 && status < 300) return accepted(answer, records)
  const message = `status ${status}${quote(answer)}`
  if (!isRetryable(status)) return { kind: 'refused', message }
  return { kind: 'unavailable', message, retryAfterMillis: parseRetryAfter(answer.retryAfter) }
}

/**
 * A success that is no OTLP answer comes from something else, such as a proxy's login page: had it counted as
 * delivered, everything would vanish there without a word.
 */
function accepted(answer: Answer, records: number): Outcome {
  try {
    const { partialSuccess } = parseAnswer(answer)
    const rejected = Math.min(Math.max(Number(partialSuccess?.rejectedLogRecords) || 0, 0), records)
    return {
      kind: 'accepted',
      rejected,
      message: partialSuccess?.errorMessage || 'the server gave no reason',
    }
  } catch {
    const what = answer.contentType || 'no content type'
    return {
      kind: 'unavailable',
      message: `status ${answer.status} is no OTLP answer (${what})${quote(answer)}`,
    }
  }
}

interface ExportLogsResponse {
  readonly partialSuccess?: { readonly rejectedLogRecords?: number | string; readonly errorMessage?: string }
}

function parseAnswer({ contentType, body }: Answer): ExportLogsResponse {
  if (body.length === 0) return {}
  if (contentType === 'application/json') return JSON.parse(body.toString()) ?? {}
  if (contentType === 'application/x-protobuf') return ProtobufLogsSerializer.deserializeResponse(body)
  throw new Error('no OTLP answer')
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
function parseRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const millis = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(millis) ? undefined : Math.max(0, millis)
}

/** What can be read of an answer's body, in whatever encoding. */
function quote({ body }: Answer): string {
  const text = body
    .toString('latin1')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
  return text && `: ${text.slice(0, MAX_SHOWN_ANSWER_LENGTH)}`
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join('; ')
  return error instanceof Error ? error.message : String(error)
}

/** In a thread of its own, so that the event loop goes on. */
function compress(body: Uint8Array): Promise<Uint8Array> {
  const { gzip } = process.getBuiltinModule('node:zlib')
  return new Promise((resolve, reject) =>
    gzip(body, (error, gzipped) => (error ? reject(error) : resolve(gzipped))),
  )
}

/** Unquoted digits beyond 2^53, or an exponent; `"intValue":` stands nowhere else, since quotes in texts are escaped. */
const INEXACT_INTEGER = /"intValue":(-?\d{16,}|-?\d(?:\.\d+)?e\+\d+)/g

/**
 * The JSON serializer writes every whole number as `intValue`: those that JavaScript prints rounded get all their
 * digits, and those beyond 64 bits become a `doubleValue`, as the protobuf serializer has it.
 */
function withExactNumbers(json: Uint8Array): Uint8Array {
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()
  INEXACT_INTEGER.lastIndex = 0
  if (!INEXACT_INTEGER.test(text)) return json
  return Buffer.from(
    text.replace(INEXACT_INTEGER, (_, digits) => {
      const exact = BigInt(Number(digits))
      return BigInt.asIntN(64, exact) === exact ? `"intValue":"${exact}"` : `"doubleValue":${digits}`
    }),
  )
}
