import type { OutgoingHttpHeaders } from 'node:http'
import { type FieldError, InvalidEventError } from '@agentic-hooks/events'
import { RequestTooLargeError, UndecodableError } from './decode/decoded-request.ts'

/*
 * Every way in which a request can fail, and what its client is told. OTLP clients send 429, 502, 503 and 504
 * again and nothing else, so whatever a retry would cure is a 503 and whatever it would not is a 4xx.
 *
 * | error                                    | status | a retry helps      |
 * |------------------------------------------|--------|--------------------|
 * | UndecodableError, BadRequestError        | 400    | no                 |
 * | UnauthorizedError                        | 401    | with a valid token |
 * | ForbiddenHostError                       | 403    | no                 |
 * | NotFoundError                            | 404    | no                 |
 * | MethodNotAllowedError                    | 405    | no                 |
 * | BodyTooLargeError, RequestTooLargeError, | 413    | in smaller batches |
 * | TooManyValuesError                       |        |                    |
 * | UnsupportedMediaError                    | 415    | no                 |
 * | InvalidEventError (REST, hooks)          | 422    | no                 |
 * | TooManyEventsError                       | 429    | yes                |
 * | ClientGoneError                          | 499    | nobody is told     |
 * | UnavailableError: full, failing, closing | 503    | yes                |
 * | anything else is a bug of ours           | 500    | no                 |
 *
 * A record that an exporter can never store (also each of a batch that fails with PermanentExportError) fails
 * no request: it is reported as rejected, in partial_success.
 */

/** A request that is answered with `status`. */
class RequestError extends Error {
  override readonly name: string = 'RequestError'
  readonly status: number
  readonly headers: OutgoingHttpHeaders

  constructor(status: number, message: string, headers: OutgoingHttpHeaders = {}, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.headers = headers
  }
}

/** What is wrong lies before the body: the request's target or its Host. */
export class BadRequestError extends RequestError {
  override readonly name = 'BadRequestError'

  constructor(message: string) {
    super(400, message)
  }
}

/** A request that names a host which is none of ours: a web page may have sent it here in disguise. */
export class ForbiddenHostError extends RequestError {
  override readonly name = 'ForbiddenHostError'

  constructor(host: string) {
    super(403, `the host ${host} is not one of this receiver; name it in PUBLIC_HOSTS, or set AUTH_TOKENS`)
  }
}

export class UnauthorizedError extends RequestError {
  override readonly name = 'UnauthorizedError'

  constructor(message: string) {
    super(401, message, { 'www-authenticate': 'Bearer realm="agentic-hooks"' })
  }
}

export class NotFoundError extends RequestError {
  override readonly name = 'NotFoundError'

  constructor(message: string) {
    super(404, message)
  }
}

export class MethodNotAllowedError extends RequestError {
  override readonly name = 'MethodNotAllowedError'

  constructor(method: string | undefined, allowed: string) {
    super(405, `method ${method} is not allowed here; use ${allowed}`, { allow: allowed })
  }
}

export class BodyTooLargeError extends RequestError {
  override readonly name = 'BodyTooLargeError'

  constructor(maxBodyBytes: number) {
    super(413, `the body is larger than ${maxBodyBytes} bytes (MAX_BODY_BYTES); send smaller batches`)
  }
}

export class UnsupportedMediaError extends RequestError {
  override readonly name = 'UnsupportedMediaError'

  constructor(message: string, headers?: OutgoingHttpHeaders) {
    super(415, message, headers)
  }
}

/** The client closed the connection before it had its answer; 499 shows in the metrics only, as with nginx. */
export class ClientGoneError extends RequestError {
  override readonly name = 'ClientGoneError'

  constructor() {
    super(499, 'the client closed the connection')
  }
}

/** A client that sends more than its share. */
export class TooManyEventsError extends RequestError {
  override readonly name = 'TooManyEventsError'

  constructor(eventsPerSecond: number, retryAfterSeconds: number) {
    super(429, `more than ${eventsPerSecond} events a second (MAX_CLIENT_EVENTS_PER_SECOND)`, {
      'retry-after': String(retryAfterSeconds),
    })
  }
}

/** Nothing is wrong with the request: it may be sent again. */
export class UnavailableError extends RequestError {
  override readonly name = 'UnavailableError'

  constructor(message: string, retryAfterSeconds: number, options?: ErrorOptions) {
    super(503, message, { 'retry-after': String(retryAfterSeconds) }, options)
  }
}

/** What a client is told. */
export interface Failure {
  readonly status: number
  readonly message: string
  readonly headers: OutgoingHttpHeaders
  /** The wrong fields of an event. */
  readonly fields?: readonly FieldError[]
}

export function toFailure(error: unknown): Failure {
  if (error instanceof RequestError) return error
  if (error instanceof RequestTooLargeError) return { status: 413, message: error.message, headers: {} }
  if (error instanceof UndecodableError) return { status: 400, message: error.message, headers: {} }
  if (error instanceof InvalidEventError) {
    return { status: 422, message: error.message, headers: {}, fields: error.fields }
  }
  return { status: 500, message: 'internal error; the log of the receiver has more', headers: {} }
}
