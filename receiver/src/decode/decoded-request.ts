import type { EventBatch, ExportResult, FieldError, Rejection } from '@agentic-hooks/events'
import type { Budget } from './budget.ts'

export * from './errors.ts'

/** The body of a request, in pieces. */
export interface RequestBody {
  readonly chunks: readonly Uint8Array[]
  readonly byteLength: number
  /** Gives the memory of a large body back; a decoder that has a copy need not wait for its end. */
  release?(): void
}

/** What one request brought. */
export interface DecodedRequest {
  /** The events that can be stored. */
  readonly batch: EventBatch
  /** The records that never can be, by their ids. */
  readonly rejected: readonly RejectedRecord[]
  /** Set where the request brought no record, yet something that we do not know: says what, for its sender. */
  readonly warning?: string | undefined
}

/** A record that can never be stored. */
export interface RejectedRecord extends Rejection {
  /** What is wrong with it, where that is known by field. */
  readonly fields?: readonly FieldError[]
}

/** What became of a request, for its answer. */
export type RequestResult = Omit<ExportResult, 'rejected'> & Pick<DecodedRequest, 'rejected' | 'warning'>

/** A request that is being decoded: each `next()` does a millisecond or so of it; `return()` gives it up. */
export type Decoding = Generator<undefined, DecodedRequest, undefined>

/**
 * Begins to decode a body. A decoder tells the budget what the request becomes, as it goes, and lets the budget's
 * errors end the decoding; it yields so often that others can be served between, a short request never. Between two
 * @throws UndecodableError from `next()`, as anything else that is said of the request
 */
export type Decode = (body: RequestBody, receivedAtMicros: number, budget: Budget) => Decoding

/** Runs a decoding to its end, without giving way to anything. */
export function decodedAtOnce(decoding: Decoding): DecodedRequest {
  for (;;) {
    const { done, value } = decoding.next()
    if (done) return value
  }
}
