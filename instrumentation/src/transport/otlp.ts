import type { ClientRequest, OutgoingHttpHeaders } from 'node:http'
import type { ClientConfig } from '../options/config.ts'
import { INSTRUMENTATION_SCOPE } from '../record/resource.ts'
import { Connections } from './connections.ts'
import { type Answer, outcomeOf, readAnswer } from './otlp-answer.ts'
import { CONTENT_TYPES, serialize } from './otlp-body.ts'
import type { Batch, Outcome, Transport } from './transport.ts'

/**
 * OTLP over HTTP. No request keeps the process alive: its sockets are unreferenced, and a connection attempt,
 * which cannot be, is bounded by shutdownTimeoutMillis.
 */
export class OtlpTransport implements Transport {
  readonly destination: string
  readonly #config: ClientConfig
  readonly #connections: Connections
  readonly #requests = new Set<ClientRequest>()
  #aborts = 0

  constructor(config: ClientConfig) {
    this.destination = config.endpoint.href
    this.#config = config
    this.#connections = Connections.borrow(config.endpoint, config.tls)
  }

  send(batch: Batch): Promise<Outcome> {
    const aborts = this.#aborts
    return this.#connections.use(() => this.#send(batch, () => aborts < this.#aborts))
  }

  abort(): void {
    this.#aborts++
    for (const request of this.#requests) request.destroy(new Error('given up'))
  }

  async close(): Promise<void> {
    this.abort()
    this.#connections.giveBack()
  }

  async #send(batch: Batch, isAborted: () => boolean): Promise<Outcome> {
    try {
      batch.body ??= await serialize(batch.records, this.#config)
    } catch (error) {
      return { kind: 'refused', message: `the batch cannot be serialized: ${error}`, isCertain: true }
    }
    try {
      const headers = await this.#headers()
      if (isAborted()) throw new Error('given up')
      return outcomeOf(await this.#post(batch.body, headers), batch.records.length)
    } catch (error) {
      return { kind: 'unavailable', message: describe(error) }
    }
  }

  async #headers(): Promise<OutgoingHttpHeaders> {
    const { headers, protocol, compression } = this.#config
    return {
      'user-agent': `agentic-hooks/${INSTRUMENTATION_SCOPE.version}`,
      ...(typeof headers === 'function' ? await this.#inTime(headers) : headers),
      'content-type': CONTENT_TYPES[protocol],
      ...(compression === 'gzip' && { 'content-encoding': 'gzip' }),
    }
  }

  async #inTime<T>(ask: () => T | Promise<T>): Promise<T> {
    const { exportTimeoutMillis } = this.#config
    const { promise: late, reject } = Promise.withResolvers<never>()
    const error = new Error(`the headers function did not answer within ${exportTimeoutMillis} ms`)
    const timer = setTimeout(reject, exportTimeoutMillis, error).unref()
    return Promise.race([ask(), late]).finally(() => clearTimeout(timer))
  }

  async #post(body: Uint8Array, headers: OutgoingHttpHeaders): Promise<Answer> {
    for (;;) {
      const request = this.#connections.request(this.#config.endpoint, {
        method: 'POST',
        agent: this.#connections.agent,
        headers: { ...headers, 'content-length': body.byteLength },
      })
      try {
        return await this.#exchange(request, body)
      } catch (error) {
        // A server may close an idle connection just when it is used again: that says nothing about the server.
        if (!request.reusedSocket || (error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
      }
    }
  }

  #exchange(request: ClientRequest, body: Uint8Array): Promise<Answer> {
    const { exportTimeoutMillis, shutdownTimeoutMillis } = this.#config
    const timers: NodeJS.Timeout[] = []
    const giveUpAfter = (millis: number, problem: string) => {
      const error = new Error(`${problem} within ${millis} ms`)
      const timer = setTimeout(() => request.destroy(error), millis).unref()
      timers.push(timer)
      return timer
    }
    this.#requests.add(request)
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    request.on('socket', (socket) => {
      socket.unref()
      giveUpAfter(exportTimeoutMillis, 'no answer')
      if (!socket.connecting) return
      const connecting = giveUpAfter(Math.min(shutdownTimeoutMillis, exportTimeoutMillis), 'no connection')
      socket.once('connect', () => clearTimeout(connecting))
    })
    request.on('response', (response) => readAnswer(response).then(resolve, reject))
    request.on('error', reject)
    request.on('close', () => {
      for (const timer of timers) clearTimeout(timer)
      this.#requests.delete(request)
    })
    request.end(body)
    return promise
  }
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join('; ')
  return error instanceof Error ? error.message : String(error)
}
