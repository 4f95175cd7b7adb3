import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ExportResult, type Micros, nowMicros } from '@agentic-hooks/events'
import type { Logger } from 'pino'
import type { Admission } from './admission.ts'
import { answer } from './answer.ts'
import type { Authenticator } from './auth.ts'
import { decompress, readBody } from './body.ts'
import type { DecodedRequest } from './decode/decoded-request.ts'
import {
  ClientGoneError,
  type Failure,
  MethodNotAllowedError,
  toFailure,
  UnavailableError,
} from './failures.ts'
import type { Metrics, Protocol } from './metrics.ts'
import type { Pipeline } from './pipeline.ts'

/** One way in: how its bodies are read and its answers written. */
export interface Way {
  readonly protocol: Protocol
  /** Of the answers, failures included. */
  readonly contentType: string
  /** Throws an UnsupportedMediaError where the body, of which nothing is read yet, is of no known type. */
  accept(request: IncomingMessage): void
  decode(body: Uint8Array, receivedAtMicros: Micros): DecodedRequest
  /** The answer once everything that can be stored is durable. */
  encodeResult(result: ExportResult): { status: number; body: Buffer }
  encodeFailure(failure: Failure): Buffer
}

export interface IntakeOptions {
  readonly authenticator: Authenticator
  readonly admission: Admission
  readonly pipeline: Pipeline
  readonly metrics: Metrics
  readonly log: Logger
  readonly maxBodyBytes: number
}

/** Takes the events of a request all the way from the open connection into the stores, then answers. */
export class Intake {
  readonly #options: IntakeOptions

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  async serve(request: IncomingMessage, response: ServerResponse, way: Way): Promise<void> {
    const { metrics, log } = this.#options
    const startedAt = performance.now()
    let status: number
    try {
      const result = await this.#receive(request, response, way)
      const encoded = way.encodeResult(result)
      status = encoded.status
      answer(request, response, status, way.contentType, encoded.body)
    } catch (error) {
      const failure = toFailure(error)
      status = failure.status
      if (status === 500) log.error({ err: error, protocol: way.protocol }, 'request failed')
      else log.debug({ status, protocol: way.protocol }, 'request refused') // The message may quote the payload.
      answer(request, response, status, way.contentType, way.encodeFailure(failure), failure.headers)
    }
    metrics.protocol(way.protocol).answered(status, performance.now() - startedAt)
  }

  async #receive(request: IncomingMessage, response: ServerResponse, way: Way): Promise<ExportResult> {
    const { authenticator, admission, pipeline, metrics, maxBodyBytes } = this.#options
    if (request.method !== 'POST') throw new MethodNotAllowedError(request.method, 'POST')
    authenticator.check(request)
    way.accept(request)
    const counted = metrics.protocol(way.protocol)
    const ticket = admission.enter()
    response.on('close', () => {
      if (!response.writableFinished) ticket.abort(new ClientGoneError())
    })
    let decoded: DecodedRequest
    try {
      const sent = await readBody(request, ticket, maxBodyBytes)
      const body = decompress(sent, request.headers['content-encoding'], maxBodyBytes)
      ticket.arrived(body.byteLength)
      decoded = way.decode(body, nowMicros())
    } catch (error) {
      ticket.leave()
      throw error
    }
    const { batch, rejected } = decoded
    counted.received(batch.events.length + rejected.length)
    try {
      const result = await pipeline.store(batch, ticket)
      counted.stored(result, rejected.length)
      return rejected.length ? { ...result, rejected: [...rejected, ...result.rejected] } : result
    } catch (error) {
      if (error instanceof UnavailableError) counted.refused(batch.events.length)
      throw error
    }
  }
}
