import type { ClientConfig } from '../options/config.ts'

export interface Attempt {
  readonly startedAt: number
  /** `failures` when it began. */
  readonly failuresBefore: number
}

/** A failure that ended so recently has kept the event loop from ending. */
const JUST_NOW_MILLIS = 100

/** How long the destination has been failing, and when to try it again: exponential backoff with jitter. */
export class Backoff {
  /** Failed attempts in a row; those that were under way at the same time count once. */
  failures = 0
  #notBefore = 0
  /** What the server asked for, which binds us more than our own backoff. */
  #askedNotBefore = 0
  #lastFailure = { endedAt: 0, tookMillis: 0 }
  readonly #config: ClientConfig

  constructor(config: ClientConfig) {
    this.#config = config
  }

  /** How long the next attempt has to wait. */
  get waitMillis(): number {
    return Math.max(0, Math.max(this.#notBefore, this.#askedNotBefore) - Date.now())
  }

  /** How long the process has just been held up by an attempt that failed. */
  get heldMillis(): number {
    const { endedAt, tookMillis } = this.#lastFailure
    return Date.now() - endedAt < JUST_NOW_MILLIS ? tookMillis : 0
  }

  begin(): Attempt {
    return { startedAt: Date.now(), failuresBefore: this.failures }
  }

  succeeded(): void {
    this.failures = 0
    this.#notBefore = 0
    this.#askedNotBefore = 0
  }

  /** @param retryAfterMillis what the server asked for */
  failed({ startedAt, failuresBefore }: Attempt, retryAfterMillis = 0): void {
    const { retryInitialDelayMillis, retryBackoffFactor, retryMaxDelayMillis, retryJitter } = this.#config
    const now = Date.now()
    this.#lastFailure = { endedAt: now, tookMillis: now - startedAt }
    this.failures = Math.max(this.failures, failuresBefore + 1)
    const delay = Math.min(
      retryInitialDelayMillis * retryBackoffFactor ** (this.failures - 1),
      retryMaxDelayMillis,
    )
    const jitter = 1 + retryJitter * (2 * Math.random() - 1)
    this.#notBefore = Math.max(this.#notBefore, now + delay * jitter)
    this.#askedNotBefore = Math.max(this.#askedNotBefore, now + retryAfterMillis)
  }

  /** Allows an attempt at once, because there will be no later; unless the server asked for a wait. */
  hurry(): void {
    this.#notBefore = 0
  }
}
