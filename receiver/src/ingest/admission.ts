import { RequestTooLargeError } from '../decode/decoded-request.ts'
import { UnavailableError } from '../errors.ts'

const DRAIN_WINDOW_MILLIS = 10_000
const MAX_RETRY_AFTER_SECONDS = 10
/** What a body that is still arriving must have to make way for one that is being decoded. */
const LARGE_BYTES = 2 ** 20
/** Beyond this share of the memory, the next large request is decoded only once others are stored. */
const DECODING_SHARE = 0.5
const MAX_WAIT_MILLIS = 5_000

/**
 * Bounds the memory of all requests between their first byte and the moment when every exporter has let go of
 * them. A body counts with what has arrived of it, then also with what it becomes while it is decompressed and decoded,
 * at last with its events alone.
 *
 * When the bound is reached, the largest body that is still arriving makes way for a smaller one and, when it is large, for any that is
 * being decoded, so that a few endless bodies cannot keep everybody else out; where there is none, the largest that is being
 * decoded makes way for a smaller one, and where there is none, the newcomer is refused.
 */
export class Admission {
  readonly maxBytes: number
  readonly #tickets = new Set<Ticket>()
  readonly #waiting = new Set<() => void>()
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
      const largest = this.#victim('arriving', ticket, bytes) ?? this.#victim('decoding', ticket, bytes)
      if (largest === undefined) throw this.#full()
      largest.abort(this.#full())
    }
    this.#bytes += bytes
  }

  /**
   * Resolves when half of the memory is free, for what is decoded and for newcomers, or when there is nothing to wait for, at
   * the latest in five seconds.
   */
  async room(): Promise<void> {
    const waitUntil = performance.now() + MAX_WAIT_MILLIS
    while (this.#bytes > this.maxBytes * DECODING_SHARE && this.#isStoring()) {
      const millis = waitUntil - performance.now()
      if (millis <= 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, millis)
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
      clearTimeout(timer)
    }
  }

  #isStoring(): boolean {
    for (const { stage } of this.#tickets) if (stage === 'storing') return true
    return false
  }

  /** For tickets. */
  leave(ticket: Ticket): void {
    if (!this.#tickets.delete(ticket)) return
    for (const resolve of this.#waiting) resolve()
    this.#bytes -= ticket.bytes
    const now = performance.now()
    // Forgets: what is older than the window counts half as much each time that it has passed.
    if (now - this.#drainedSinceMillis > DRAIN_WINDOW_MILLIS) {
      this.#drainedBytes /= 2
      this.#drainedSinceMillis = now - DRAIN_WINDOW_MILLIS / 2
    }
    if (!ticket.signal.aborted) this.#drainedBytes += ticket.bytes
  }

  /** The largest in a stage that makes way for a ticket. */
  #victim(stage: Stage, ticket: Ticket, bytes: number): Ticket | undefined {
    const isUnderWay = stage === 'arriving' && ticket.stage === 'decoding'
    let largest: Ticket | undefined
    let largestBytes = isUnderWay ? LARGE_BYTES : ticket.bytes + bytes
    for (const other of this.#tickets) {
      if (other === ticket || other.stage !== stage || other.bytes <= largestBytes) continue
      largest = other
      largestBytes = other.bytes
    }
    return largest
  }

  #full(): UnavailableError {
    const message = `the receiver holds ${this.#bytes} of ${this.maxBytes} bytes (MAX_BYTES_IN_FLIGHT)`
    return new UnavailableError(message, this.retryAfterSeconds())
  }
}

type Stage = 'arriving' | 'decoding' | 'storing'

/**
 * One request's place in the receiver. It is arriving until `decode()`, being decoded until `arrived()`, then being stored until `leave()`;
 * `abort()` ends it early at any time.
 */
export class Ticket {
  readonly startedAtMillis = performance.now()
  readonly #admission: Admission
  readonly #abort = new AbortController()
  #bytes = 0
  #stage: Stage = 'arriving'

  constructor(admission: Admission) {
    this.#admission = admission
  }

  get bytes(): number {
    return this.#bytes
  }

  get stage(): Stage {
    return this.#stage
  }

  /** Whether it is not decoded yet. */
  get arriving(): boolean {
    return this.#stage !== 'storing'
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

  /** It begins to be decoded. */
  decode(): void {
    this.signal.throwIfAborted()
    this.#stage = 'decoding'
  }

  /** It is decoded and takes `bytes` from now on. Throws as `grow` does. */
  arrived(bytes: number): void {
    this.#stage = 'storing'
    this.grow(bytes - this.#bytes)
  }

  abort(reason: Error): void {
    // What is being stored still holds its memory until the exporters let go of it.
    if (this.arriving) this.leave()
    this.#abort.abort(reason)
  }

  leave(): void {
    this.#admission.leave(this)
  }
}
