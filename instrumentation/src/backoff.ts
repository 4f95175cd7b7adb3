import type { ClientConfig } from './config.ts'

/** How long the destination has been failing, and when to try it again: exponential backoff with jitter. */
export class Backoff {
  /** Failed attempts in a row; attempts that were under way at the same time count once. */
  failures = 0
  #notBefore = 0
  readonly #config: ClientConfig

  constructor(config: ClientConfig) {
    this.#config = config
  }

  get waitMillis(): number {
    return Math.max(0, this.#notBefore - Date.now())
  }

  succeeded(): void {
    this.failures = 0
    this.#notBefore = 0
  }

  /**
   * @param failuresBefore `failures` when the attempt began
   * @param retryAfterMillis what the server asked for; it may only lengthen the wait
   */
  failed(failuresBefore: number, retryAfterMillis = 0): void {
    const { retryInitialDelayMillis, retryBackoffFactor, retryMaxDelayMillis, retryJitter } = this.#config
    this.failures = Math.max(this.failures, failuresBefore + 1)
    const delay = retryInitialDelayMillis * retryBackoffFactor ** (this.failures - 1)
    const jitter = 1 + retryJitter * (2 * Math.random() - 1)
    const wait = Math.max(Math.min(delay, retryMaxDelayMillis) * jitter, retryAfterMillis)
    this.#notBefore = Math.max(this.#notBefore, Date.now() + wait)
  }

  /** Allows one attempt at once, because there will be no later. */
  hurry(): void {
    this.#notBefore = 0
  }
}
