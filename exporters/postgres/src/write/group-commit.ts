import type { EventBatch, ExportResult } from '@agentic-hooks/events'
import { ClockError, UnavailableError } from '../connection/errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { byKey, PendingBatch } from './pending-batch.ts'
import { Writer } from './writer.ts'

/** A write that takes so long is stuck: behind a lock, a full disk, or a server that hangs. */
const STUCK_MILLIS = 5_000
/** A failed write is news for so long: where nobody writes any more, only the next write can tell. */
const FAILURE_MILLIS = 10_000

/**
 * Batches wait only while every connection is busy; one that is free takes as many of them as fit into
 * `maxGroupBytes` and commits them together.
 *
 * New until `open()`, then open; `close()` refuses new batches, settles the accepted ones and ends the
 * connections. While every connection is lost, batches are refused with the reason.
 */
export class GroupCommit {
  readonly #options: ResolvedOptions
  readonly #writers: readonly Writer[]
  readonly #queue: PendingBatch[] = []
  readonly #unsettled = new Set<Promise<unknown>>()
  #pendingBytes = 0
  #refusal: UnavailableError | null = new UnavailableError('the exporter is not started')
  #closed = false
  #lostAtMillis: number | null = null
  #failure: UnavailableError | null = null
  #failedAtMillis = 0

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#writers = Array.from(
      { length: options.connections },
      () =>
        new Writer(options, {
          ready: () => this.#regained(),
          lost: (error) => this.#lost(error),
        }),
    )
  }

  /** Why a batch would be refused now. */
  get refusal(): UnavailableError | null {
    if (this.#refusal) return this.#refusal
    const { maxQueuedBytes } = this.#options
    if (this.#pendingBytes < maxQueuedBytes) return null
    return new UnavailableError(
      `PostgreSQL does not keep up: ${this.#pendingBytes} bytes wait, maxQueuedBytes is ${maxQueuedBytes}`,
    )
  }

  /**
   * Why writing seems to be impossible though the server answers: every connection's write is stuck, or the last write
   * failed a moment ago.
   */
  get failure(): UnavailableError | null {
    const stuckMillis = Math.min(...this.#writers.map(({ writingMillis }) => writingMillis))
    if (stuckMillis > STUCK_MILLIS) {
      return new UnavailableError(`PostgreSQL: no write has ended for ${Math.round(stuckMillis)} ms`)
    }
    return performance.now() - this.#failedAtMillis < FAILURE_MILLIS ? this.#failure : null
  }

  /**
   * Resolves also when this machine's clock is wrong: batches are refused with that reason until it has been set, as
   * time services do a while after a machine has booted.
   */
  async open(): Promise<void> {
    try {
      await Promise.all(this.#writers.map((writer) => writer.open()))
    } catch (error) {
      if (!(error instanceof ClockError)) throw error
      this.#refuse(error, 'no events are taken; trying again')
      for (const writer of this.#writers) writer.keepOpening()
      return
    }
    if (!this.#closed) this.#refusal = null
  }

  async add(batch: EventBatch, signal: AbortSignal): Promise<ExportResult> {
    signal.throwIfAborted()
    const refusal = this.refusal
    if (refusal) throw refusal
    const pending = new PendingBatch(batch)
    const abort = () => this.#abort(pending, signal)
    signal.addEventListener('abort', abort, { once: true })
    this.#pendingBytes += batch.byteLength
    this.#unsettled.add(pending.durable)
    this.#queue.push(pending)
    this.#pump()
    try {
      return await pending.durable
    } finally {
      this.#pendingBytes -= batch.byteLength
      this.#unsettled.delete(pending.durable)
      signal.removeEventListener('abort', abort)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#refusal = new UnavailableError('the exporter is shut down')
    await Promise.allSettled(this.#unsettled)
    await Promise.all(this.#writers.map((writer) => writer.close()))
  }

  #pump(): void {
    for (const writer of this.#writers) {
      if (this.#queue.length === 0) return
      if (writer.ready) void this.#write(writer)
    }
  }

  async #write(writer: Writer): Promise<void> {
    this.#failure = await writer.write(this.#takeGroup())
    this.#failedAtMillis = performance.now()
    this.#pump()
  }

  #takeGroup(): PendingBatch[] {
    const group: PendingBatch[] = []
    let bytes = 0
    for (const batch of this.#queue) {
      bytes += batch.rows.boundBytes
      if (group.length > 0 && bytes > this.#options.maxGroupBytes) break
      group.push(batch)
    }
    this.#queue.splice(0, group.length)
    // Batches that arrive twice meet in the same order on every connection (see PendingBatch).
    return group.sort((a, b) => byKey(a.rows.events[0]!, b.rows.events[0]!))
  }

  #abort(pending: PendingBatch, { reason }: AbortSignal): void {
    const index = this.#queue.indexOf(pending)
    if (index < 0) return // It is being written; its outcome is the answer.
    this.#queue.splice(index, 1)
    pending.reject(reason)
  }

  #lost(error: UnavailableError): void {
    if (this.#writers.some(({ connected }) => connected)) return
    for (const batch of this.#queue.splice(0)) batch.reject(error)
    if (!this.#closed) this.#refuse(error, 'lost PostgreSQL; connecting again')
  }

  #refuse(error: UnavailableError, message: string): void {
    this.#refusal = error
    if (this.#lostAtMillis !== null) return
    this.#lostAtMillis = performance.now()
    this.#options.logger.warn({ reason: error.message }, message)
  }

  #regained(): void {
    if (this.#lostAtMillis !== null) {
      const outageMillis = Math.round(performance.now() - this.#lostAtMillis)
      this.#options.logger.info({ outageMillis }, 'PostgreSQL is back')
      this.#lostAtMillis = null
    }
    this.#failure = null
    if (!this.#closed) this.#refusal = null
    this.#pump()
  }
}
