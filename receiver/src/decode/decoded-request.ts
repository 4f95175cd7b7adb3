import type { EventBatch, Rejection } from '@agentic-hooks/events'

/** What one request brought. */
export interface DecodedRequest {
  /** The events that can be stored. */
  readonly batch: EventBatch
  /** The records that never can be, by their ids. */
  readonly rejected: readonly Rejection[]
}

/** The request is not what its content type says: sending it again cannot help. */
export class UndecodableError extends Error {
  override readonly name: string = 'UndecodableError'
}

/** More records in one request than {@link DecodeLimits.maxRecords}. */
export class TooManyRecordsError extends UndecodableError {
  override readonly name = 'TooManyRecordsError'

  constructor(maxRecords: number) {
    super(`more than ${maxRecords} records in one request; send them in several`)
  }
}

export interface DecodeLimits {
  /**
   * Most records of one request. Default 200,000. A record can be as short as two bytes and takes some 400 in
   * memory, so a limit on the request's size alone would not bound it. Beyond: {@link TooManyRecordsError}.
   */
  readonly maxRecords: number
}

export const DEFAULT_LIMITS: DecodeLimits = { maxRecords: 200_000 }
