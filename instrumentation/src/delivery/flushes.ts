import type { HookLogRecord } from '../record/log-record.ts'

interface Flush {
  readonly records: Set<HookLogRecord>
  readonly isOver: () => boolean
  readonly resolve: () => void
}

/** Those who wait for records to leave. */
export class Flushes {
  readonly #flushes = new Set<Flush>()

  /**
   * Resolves when all of the records have left and `isOver` says so, or after the timeout. Keeps the process alive
   * until then.
   */
  async wait(records: Iterable<HookLogRecord>, isOver: () => boolean, timeoutMillis: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const flush = { records: new Set(records), isOver, resolve }
    const timer = setTimeout(resolve, timeoutMillis)
    this.#flushes.add(flush)
    this.check()
    await promise
    clearTimeout(timer)
    this.#flushes.delete(flush)
  }

  left(records: readonly HookLogRecord[]): void {
    for (const flush of this.#flushes) for (const record of records) flush.records.delete(record)
    this.check()
  }

  check(): void {
    for (const { records, isOver, resolve } of this.#flushes) if (records.size === 0 && isOver()) resolve()
  }
}
