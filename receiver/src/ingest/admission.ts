import { RequestTooLargeError } from '../decode/decoded-request.ts'
import { UnavailableError } from '../errors.ts'

const DRAIN_WINDOW_MILLIS = 10_000
const MAX_RETRY_AFTER_SECONDS = 10

/**
 * Bounds the memory of all requests between their first byte and the moment when every exporter has let go of
 * them. A body counts with what has arrived of it, then also with what it becomes while it is decompressed and decoded,
 * at last with its events alone.
 *
 * When the bound is reached, the largest request that is still arriving or being decoded makes way for a smaller one, so
 * that a few endless bodies cannot keep everybody else out; where there is none, the newcomer is refused.
 */
export class Admission {
  readonly maxBytes: number
  readonly #tickets = new Set<Ticket>()
  #bytes = 0
  #drainedBytes = 0
  #drainedSinceMillis = performance.now()

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get bytesInFlight(): number {
    return this.#bytes
  }

  get requestsInFlight(): number {
    return this.#tickets.size
  }

  oldestAgeMillis(): number {
    const [oldest] = this.#tickets // A Set keeps the order of insertion.
    return oldest ? performance.now() - oldest.startedAtMillis : 0
  }

  enter(): Ticket {
    const ticket = new Ticket(this)
    this.#tickets.add(ticket)
    return ticket
  }

  /** Gives up on everything in flight. */
  abortAll(reason: Error): void {
    for (const ticket of [...this.#tickets]) ticket.abort(reason)
  }

  /** When, at the rate of the last seconds, what is in flight now will be stored. */
  retryAfterSeconds(): number {
    const bytesPerMilli = this.#drainedBytes / (performance.now() - this.#drainedSinceMillis)
    const seconds = Math.ceil(this.#bytes / bytesPerMilli / 1000)
    return Math.min(Math.max(seconds || 1, 1), MAX_RETRY_AFTER_SECONDS)
  }

  /**
   * For tickets.
   * @throws UnavailableError when there is no room
   * @throws RequestTooLargeError when there never can be
   */
  reserve(ticket: Ticket, bytes: number): void {
    if (bytes > 0 && ticket.bytes + bytes > this.maxBytes) {
      const message = `the request takes more than ${this.maxBytes} bytes of memory (MAX_BYTES_IN_FLIGHT); send smaller batches`
      throw new RequestTooLargeError(message)
    }
    while (bytes > 0 && this.#bytes + bytes > this.maxBytes) {
      const largest = this.#largestArriving()
      if (!largest || largest.bytes <= ticket.bytes + bytes) throw this.#full()
      largest.abort(this.#full())
    }
    this.#bytes += bytes
  }

  /** For tickets. */
  leave(ticket: Ticket): void {
    if (!this.#tickets.delete(ticket)) return
    this.#bytes -= ticket.bytes
    const now = performance.now()
    // Forgets: what is older than the window counts half as much each time that it has passed.
    if (now - this.#drainedSinceMillis > DRAIN_WINDOW_MILLIS) {
      this.#drainedBytes /= 2
      this.#drainedSinceMillis = now - DRAIN_WINDOW_MILLIS / 2
    }
    if (!ticket.signal.aborted) this.#drainedBytes += ticket.bytes
  }

  #largestArriving(): Ticket | undefined {
    let largest: Ticket | undefined
    for (const ticket of this.#tickets) {
      if (ticket.arriving && ticket.bytes > (largest?.bytes ?? 0)) largest = ticket
    }
    return largest
  }

  #full(): UnavailableError {
    const message = `the receiver holds ${this.#bytes} of ${this.maxBytes} bytes (MAX_BYTES_IN_FLIGHT)`
    return new UnavailableError(message, this.retryAfterSeconds())
  }
}

/**
 * One request's place in the receiver. It is arriving, or being decoded, until `arrived()`, then being stored until `leave()`;
 * `abort()` ends it early at any time.
 */
export class Ticket {
  readonly startedAtMillis = performance.now()
  readonly #admission: Admission
  readonly #abort = new AbortController()
  #bytes = 0
  #arriving = true

  constructor(admission: Admission) {
    this.#admission = admission
  }

  get bytes(): number {
    return this.#bytes
  }

  get arriving(): boolean {
    return this.#arriving
  }

  /** Aborted, with the reason, when nobody waits for the request any more. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /**
   * @throws UnavailableError when there is no room for them, or what it was aborted with
   * @throws RequestTooLargeError when there never can be
   */
  grow(bytes: number): void {
    this.signal.throwIfAborted()
    this.#admission.reserve(this, bytes)
    this.#bytes += bytes
  }

  /** It is decoded and takes `bytes` from now on. Throws as `grow` does. */
  arrived(bytes: number): void {
    this.#arriving = false
    this.grow(bytes - this.#bytes)
  }

  abort(reason: Error): void {
    // What is being stored still holds its memory until the exporters let go of it.
    if (this.#arriving) this.leave()
    this.#abort.abort(reason)
  }

  leave(): void {
    this.#admission.leave(this)
  }
}
