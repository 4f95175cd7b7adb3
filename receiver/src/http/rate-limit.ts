import { TooManyEventsError } from '../errors.ts'

const MAX_CLIENTS = 100_000

/**
 * A token bucket a client. It holds what the client may send in one second, and a request of any size passes
 * while it is not empty; what the request takes beyond that has to be earned back before the next.
 */
export class RateLimit {
  readonly #eventsPerSecond: number
  /** By client, the millisecond in which its bucket is full again; in the order of use. */
  readonly #fullAtMillis = new Map<string, number>()

  /** Null without a limit. */
  static of(eventsPerSecond: number | undefined): RateLimit | null {
    return eventsPerSecond === undefined ? null : new RateLimit(eventsPerSecond)
  }

  constructor(eventsPerSecond: number) {
    this.#eventsPerSecond = eventsPerSecond
  }

  /** @throws TooManyEventsError */
  check(client: string): void {
    const emptyForMillis = (this.#fullAtMillis.get(client) ?? 0) - performance.now() - 1000
    if (emptyForMillis <= 0) return
    throw new TooManyEventsError(this.#eventsPerSecond, Math.ceil(emptyForMillis / 1000))
  }

  take(client: string, events: number): void {
    const fullAtMillis = Math.max(this.#fullAtMillis.get(client) ?? 0, performance.now())
    this.#fullAtMillis.delete(client)
    this.#fullAtMillis.set(client, fullAtMillis + (events / this.#eventsPerSecond) * 1000)
    if (this.#fullAtMillis.size > MAX_CLIENTS) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const [oldest] = this.#fullAtMillis.keys()
    this.#fullAtMillis.delete(oldest!)
  }
}
