/**
 * How long PostgreSQL is missed: from each start of its postmaster until the next event is acknowledged by a
 * receiver that answers after COMMIT only. Idle, then down, then starting, then idle again.
 */
export class DatabaseRecovery {
  readonly millis: number[] = []
  #downAt = Number.POSITIVE_INFINITY
  #startingAt: number | null = null

  /** The last of its processes is gone. */
  down(): void {
    this.#downAt = performance.now()
  }

  starting(): void {
    this.#startingAt = performance.now()
  }

  /** @param sentAt of the request: an answer from before the kill may still have been on its way */
  committed(sentAt: number): void {
    if (this.#startingAt === null || sentAt < this.#downAt) return
    this.millis.push(Math.round(performance.now() - this.#startingAt))
    this.#startingAt = null
  }

  get pending(): boolean {
    return this.#startingAt !== null
  }
}
