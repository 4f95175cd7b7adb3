import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { type EventBatch, type ExportResult, nowMicros } from '@agentic-hooks/events'
import type { Logger } from 'pino'
import { Budget, type DecodeLimits } from '../decode/budget.ts'
import type {
  Decode,
  DecodedRequest,
  Decoding,
  RequestBody,
  RequestResult,
} from '../decode/decoded-request.ts'
import {
  ClientGoneError,
  type Failure,
  MethodNotAllowedError,
  toFailure,
  UnavailableError,
} from '../errors.ts'
import { answer, askForBody, type Body } from '../http/answer.ts'
import type { Authenticator } from '../http/auth.ts'
import type { RateLimit } from '../http/rate-limit.ts'
import type { Metrics, Protocol } from '../metrics.ts'
import type { Admission, Ticket } from './admission.ts'
import { type Coding, contentCoding, decompressLarge, decompressSmall, readBody } from './body.ts'
import { giveWay, Turns, takeSteps } from './large-bodies.ts'
import type { Pipeline } from './pipeline.ts'
import { withTimeout } from './timeout.ts'

/** Of the time that a client waits, what storage gets; the rest is for the spool's disk. */
const STORAGE_SHARE = 0.8
/** What a decoder takes in the middle of its steps, besides its copy of the body. */
const DECODER_BYTES = 2 ** 20

/** A sender that is misunderstood is so again and again; one line in this time tells of it. */
const WARNING_INTERVAL_MILLIS = 60_000

/** One way in: how its bodies are read and its answers written. */
export interface Way {
  readonly protocol: Protocol
  /** Of the requests and of the answers, failures included. */
  readonly contentType: string
  /** Its clients repeat what they got no answer to, so a batch whose client has left is given up. */
  readonly clientsRetry: boolean
  /** Its clients wait no longer than this; then storing goes on without them. Default: as long as it takes. */
  readonly storeWithinMillis?: number
  /** Throws an UnsupportedMediaError where the body, of which nothing is read yet, is of no known type. */
  accept(request: IncomingMessage): void
  readonly decode: Decode
  /** The answer once everything that can be stored is durable. */
  encodeResult(result: RequestResult): { status: number; body: Body }
  encodeFailure(failure: Failure): Body
}

export interface IntakeOptions {
  readonly authenticator: Authenticator
  readonly rateLimit: RateLimit | null
  readonly admission: Admission
  readonly pipeline: Pipeline
  readonly metrics: Metrics
  readonly log: Logger
  readonly maxBodyBytes: number
  readonly maxRequestEvents: number
  readonly minEventBytes: number
  readonly maxEventBytes: number
  readonly maxDecodedBytes: number
  readonly maxJsonValues: number
}

/** Takes the events of a request all the way from the open connection into the stores, then answers. */
export class Intake {
  readonly #options: IntakeOptions
  readonly #limits: DecodeLimits
  readonly #turns = new Turns()
  #warnedAtMillis = Number.NEGATIVE_INFINITY

  constructor(options: IntakeOptions) {
    this.#options = options
    const { maxRequestEvents, minEventBytes, maxEventBytes, maxDecodedBytes, maxJsonValues } = options
    this.#limits = {
      maxRecords: maxRequestEvents,
      minEventBytes,
      maxEventBytes,
      maxDecodedBytes,
      maxJsonValues,
    }
  }

  async serve(request: IncomingMessage, response: ServerResponse, way: Way): Promise<void> {
    const { metrics, log } = this.#options
    const startedAt = performance.now()
    let reply: { readonly status: number; readonly body: Body; readonly headers?: OutgoingHttpHeaders }
    try {
      reply = way.encodeResult(await this.#receive(request, response, way))
    } catch (error) {
      const failure = toFailure(error)
      const { status, headers } = failure
      if (status === 500) log.error({ err: error, protocol: way.protocol }, 'request failed')
      else log.debug({ status, protocol: way.protocol }, 'request refused') // The message may quote the payload.
      reply = { status, body: way.encodeFailure(failure), headers }
    }
    metrics.protocol(way.protocol).answered(reply.status, performance.now() - startedAt)
    // Last, so that whatever fails before it can still be answered otherwise.
    answer(request, response, reply.status, way.contentType, reply.body, reply.headers)
  }

  async #receive(request: IncomingMessage, response: ServerResponse, way: Way): Promise<RequestResult> {
    const { authenticator, rateLimit, admission, metrics } = this.#options
    if (request.method !== 'POST') throw new MethodNotAllowedError(request.method, 'POST')
    const client = authenticator.check(request)
    way.accept(request)
    const coding = contentCoding(request)
    rateLimit?.check(client)
    const counted = metrics.protocol(way.protocol)
    const ticket = admission.enter()
    response.on('close', () => {
      const waits = ticket.arriving || way.clientsRetry
      if (waits && !response.writableFinished) ticket.abort(new ClientGoneError())
    })
    let decoded: DecodedRequest
    try {
      decoded = await this.#read(request, response, coding, ticket, way)
      rateLimit?.take(client, decoded.batch.events.length)
      counted.received(decoded.batch.events.length + decoded.rejected.length)
    } catch (error) {
      ticket.leave()
      throw error
    }
    const { batch, rejected, warning } = decoded
    if (warning) this.#warn(warning, way)
    try {
      const result = await this.#store(batch, ticket, way)
      counted.stored(result, rejected.length)
      if (!rejected.length && !warning) return result
      return { ...result, rejected: [...rejected, ...result.rejected], warning }
    } catch (error) {
      counted.refused(batch.events.length + rejected.length)
      throw error
    }
  }

  #warn(warning: string, { protocol }: Way): void {
    const { metrics, log } = this.#options
    metrics.protocol(protocol).notUnderstood()
    const nowMillis = performance.now()
    if (nowMillis - this.#warnedAtMillis < WARNING_INTERVAL_MILLIS) return
    this.#warnedAtMillis = nowMillis
    log.warn({ protocol, warning }, 'request brought nothing that is understood')
  }

  async #read(
    request: IncomingMessage,
    response: ServerResponse,
    coding: Coding,
    ticket: Ticket,
    way: Way,
  ): Promise<DecodedRequest> {
    const { maxBodyBytes } = this.#options
    if (Number(request.headers['content-length'] ?? 0) <= maxBodyBytes) askForBody(request, response)
    const sent = await readBody(request, ticket, maxBodyBytes)
    ticket.signal.throwIfAborted()
    const body = decompressSmall(sent, coding, maxBodyBytes)
    if (body === null) return this.#turns.take(() => this.#decodeLarge(sent, coding, ticket, way))
    const decoding = this.#decoding(body, ticket, way)
    const decoded = takeSteps(decoding)
    if (decoded === undefined) return this.#turns.take(() => this.#finish(decoding, body, ticket))
    ticket.arrived(decoded.batch.byteLength)
    return decoded
  }

  async #decodeLarge(sent: RequestBody, coding: Coding, ticket: Ticket, way: Way): Promise<DecodedRequest> {
    let body = sent
    try {
      await this.#options.admission.room()
      ticket.decode()
      body = await decompressLarge(sent, coding, ticket, this.#options.maxBodyBytes)
      if (body !== sent) sent.release?.()
      return await this.#finish(this.#decoding(body, ticket, way), body, ticket)
    } finally {
      sent.release?.()
      body.release?.()
    }
  }

  #decoding(body: RequestBody, ticket: Ticket, way: Way): Decoding {
    const budget = new Budget(this.#limits, body.byteLength, (bytes) => ticket.grow(bytes))
    return way.decode(body, nowMicros(), budget)
  }

  /** Takes the steps that are left; between them others are served. */
  async #finish(decoding: Decoding, { byteLength }: RequestBody, ticket: Ticket): Promise<DecodedRequest> {
    try {
      if (ticket.stage === 'arriving') ticket.decode()
      ticket.grow(byteLength + DECODER_BYTES)
      for (;;) {
        await giveWay()
        await this.#options.admission.room()
        ticket.signal.throwIfAborted()
        const decoded = takeSteps(decoding)
        if (decoded === undefined) continue
        ticket.arrived(decoded.batch.byteLength)
        return decoded
      }
    } finally {
      decoding.return(undefined as never) // Where it was given up, its memory serves others.
    }
  }

  async #store(batch: EventBatch, ticket: Ticket, { storeWithinMillis }: Way): Promise<ExportResult> {
    const { admission, pipeline } = this.#options
    const patienceMillis = storeWithinMillis && storeWithinMillis * STORAGE_SHARE
    let stored: Promise<ExportResult>
    try {
      stored = pipeline.store(batch, ticket, patienceMillis)
    } catch (error) {
      ticket.leave() // The pipeline did not take it over.
      throw error
    }
    if (storeWithinMillis === undefined) return stored
    return withTimeout(stored, storeWithinMillis, () => {
      const message = `storage did not answer in ${storeWithinMillis} ms`
      return new UnavailableError(message, admission.retryAfterSeconds())
    })
  }
}
