import type { EventRecord, Origin } from '@agentic-hooks/events'
import { EventTooLargeError, RequestTooLargeError, TooManyRecordsError } from './errors.ts'

export interface DecodeLimits {
  /**
   * Most records of one request, and most resources and scopes of one. Default 200,000. Beyond:
   * {@link TooManyRecordsError}.
   */
  readonly maxRecords: number
  /**
   * Beyond the first 10,000, each record, resource or scope has to take as many bytes of the decompressed body on
   * average. Default 64; 0: any. A record can be as short as two bytes, and takes as much time as one of hundreds.
   * Beyond: {@link TooManyRecordsError}.
   */
  readonly minEventBytes: number
  /**
   * Most bytes of one event, resource or scope: both as it came and as JSON, each value counting 32 more. Default
   * 16 MiB. A larger event is rejected by name; a larger resource or scope fails its request with
   * {@link EventTooLargeError}.
   */
  readonly maxEventBytes: number
  /**
   * Most bytes of all events of one request as a store may write them: as JSON, each with its resource and scope.
   * Default 128 MiB. Beyond: {@link RequestTooLargeError}.
   */
  readonly maxDecodedBytes: number
  /**
   * Most values of a JSON body: members, elements, objects and arrays. Default 5,000,000. One can be as short as two
   * bytes and takes up to 16 more while the body is read. Beyond: TooManyValuesError.
   */
  readonly maxJsonValues: number
}

export const DEFAULT_LIMITS: DecodeLimits = {
  maxRecords: 200_000,
  minEventBytes: 64,
  maxEventBytes: 2 ** 24,
  maxDecodedBytes: 2 ** 27,
  maxJsonValues: 5_000_000,
}

/** So many records, resources and scopes may be as small as they like. */
const FREE_PARTS = 10_000
/** What an event takes in memory besides its texts and payloads. */
const RECORD_BYTES = 450
const CONTAINER_BYTES = 600
const BYTES_PER_UNIT = 2
/** What an event takes in a store besides its names and payloads: ids, times and the names of its fields. */
const WRITTEN_RECORD_BYTES = 190
/** Told to whoever holds memory for the request once it is so much. */
const TOLD_BYTES = 2 ** 16

/**
 * What a request has become so far, which a decoder reports: records, what contains them, memory. Its methods throw
 * once the request is more than its limits allow.
 */
export class Budget {
  readonly limits: DecodeLimits
  /** Most records and containers that a body of this size can have. */
  readonly #maxParts: number
  readonly #bodyBytes: number
  readonly #reserve: (bytes: number) => void
  #records = 0
  #containers = 0
  #heldBytes = 0
  #toldBytes = 0
  #writtenBytes = 0
  /** Of the event that came last. */
  #origin: Origin | null = null
  #originBytes = 0

  /**
   * @param bodyBytes of the decompressed body
   * @param reserve called as the request grows, by so many bytes; what it throws ends the decoding
   */
  constructor(limits: DecodeLimits, bodyBytes: number, reserve: (bytes: number) => void = () => {}) {
    this.limits = limits
    this.#bodyBytes = bodyBytes
    this.#reserve = reserve
    this.#maxParts = limits.minEventBytes
      ? FREE_PARTS + Math.floor(bodyBytes / limits.minEventBytes)
      : Number.POSITIVE_INFINITY
  }

  /** Of a body whose memory nobody counts. */
  static of({ byteLength }: { readonly byteLength: number }, limits: Partial<DecodeLimits> = {}): Budget {
    return new Budget({ ...DEFAULT_LIMITS, ...limits }, byteLength)
  }

  /** The memory that the decoded request takes. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Most records of a scope, or scopes of a resource. */
  get maxParts(): number {
    return Math.min(this.limits.maxRecords, this.#maxParts)
  }

  /** Memory that the decoded request takes from now on, such as its payloads. */
  hold(bytes: number): void {
    this.#heldBytes += bytes
    if (this.#heldBytes - this.#toldBytes < TOLD_BYTES) return
    this.#reserve(this.#heldBytes - this.#toldBytes)
    this.#toldBytes = this.#heldBytes
  }

  /** A resource or a scope. */
  addContainer(): void {
    if (++this.#containers > this.limits.maxRecords)
      throw tooMany(this.limits.maxRecords, 'resources and scopes')
    this.#checkParts()
    this.hold(CONTAINER_BYTES)
  }

  /** A record, before it is made an event or rejected. */
  addRecord(): void {
    if (++this.#records > this.limits.maxRecords) throw tooMany(this.limits.maxRecords, 'records')
    this.#checkParts()
  }

  /** The event that a record became; its payloads are held already. */
  addEvent({
    eventType,
    sessionId,
    workflowId,
    phaseId,
    milestoneId,
    data,
    attributes,
    origin,
  }: EventRecord): void {
    const units =
      eventType.length +
      sessionId.length +
      (workflowId?.length ?? 0) +
      (phaseId?.length ?? 0) +
      (milestoneId?.length ?? 0)
    if (origin !== this.#origin) this.#setOrigin(origin)
    const nameBytes = units * BYTES_PER_UNIT
    this.#writtenBytes +=
      WRITTEN_RECORD_BYTES + nameBytes + data.byteLength + (attributes?.byteLength ?? 0) + this.#originBytes
    this.hold(RECORD_BYTES + nameBytes)
    const { maxDecodedBytes } = this.limits
    if (this.#writtenBytes > maxDecodedBytes) throw this.#tooMuch()
  }

  #setOrigin(origin: Origin | null): void {
    this.#origin = origin
    this.#originBytes = (origin?.resource?.byteLength ?? 0) + (origin?.scope?.byteLength ?? 0)
  }

  #tooMuch(): RequestTooLargeError {
    const { maxDecodedBytes } = this.limits
    return new RequestTooLargeError(
      `the events of the request are more than ${maxDecodedBytes} bytes as JSON, each with its resource and scope ` +
        '(MAX_DECODED_BYTES); send them in several requests',
    )
  }

  /** The events of a request, all at once. */
  addEvents(events: readonly EventRecord[]): void {
    for (const event of events) {
      this.addRecord()
      this.hold(event.data.byteLength + (event.attributes?.byteLength ?? 0))
      this.hold((event.origin?.resource?.byteLength ?? 0) + (event.origin?.scope?.byteLength ?? 0))
      this.addEvent(event)
    }
  }

  /** What is being read is larger than `maxEventBytes`. */
  tooLarge(): EventTooLargeError {
    return new EventTooLargeError(`a resource or scope is ${this.sizeReason}; send less of it`)
  }

  /** How an event is rejected that is too large. */
  get sizeReason(): string {
    return `larger than ${this.limits.maxEventBytes} bytes, each of its values counting 32 more (MAX_EVENT_BYTES)`
  }

  /** A scope or a resource has more than `maxParts` parts. */
  tooManyParts(): TooManyRecordsError {
    const { maxRecords } = this.limits
    return maxRecords <= this.#maxParts ? tooMany(maxRecords, 'records') : this.#tooSmall()
  }

  #checkParts(): void {
    if (this.#records + this.#containers > this.#maxParts) throw this.#tooSmall()
  }

  #tooSmall(): TooManyRecordsError {
    return new TooManyRecordsError(
      `more than ${this.#maxParts} records, resources and scopes in a body of ${this.#bodyBytes} bytes: beyond ` +
        `${FREE_PARTS}, each has to take ${this.limits.minEventBytes} bytes of it (MIN_EVENT_BYTES); ` +
        'leave out empty ones, or send them in several requests',
    )
  }
}

function tooMany(maxRecords: number, what: string): TooManyRecordsError {
  return new TooManyRecordsError(
    `more than ${maxRecords} ${what} in one request (MAX_REQUEST_EVENTS); send them in several`,
  )
}
