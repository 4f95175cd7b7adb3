import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode, suppressTracing } from '@opentelemetry/core'
import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { outsideOfScopes } from './ambient.ts'
import { Backoff } from './backoff.ts'
import type { ClientConfig } from './config.ts'
import type { DropLog, DropReason } from './drops.ts'
import type { HookLogRecord } from './log-record.ts'
import { Queue } from './queue.ts'
import type { Batch, Outcome, Transport } from './transport.ts'

/** A request does not grow beyond this, unless a single event does. */
const MAX_REQUEST_BYTES = 1024 * 1024
/** The longest that a timer can wait. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1

/**
 * What happens to a record after `emit`: the ledger in which none gets lost. A record is
 * - staged: with the batch processor, until its batch is full or its time has come;
 * - due: to be sent as soon as a request is free;
 * - sending: part of a request under way, or of a batch that waits for its next attempt.
 * All these are pending and bounded by the queue's limits. A record leaves as delivered, dropped or spooled,
 * each counted. While the destination fails, one request at a time probes it, at growing intervals.
 *
 * The processor forgets a batch that fails or takes long, so `export` only notes that one has come.
 */
export class Delivery implements LogRecordExporter {
  delivered = 0
  pending = 0
  readonly #config: ClientConfig
  readonly #transport: Transport
  readonly #drops: DropLog
  readonly #backoff: Backoff

  readonly #staged = new Queue<HookLogRecord>()
  readonly #due = new Queue<HookLogRecord>()
  readonly #retries = new Queue<Batch>()
  readonly #sending = new Set<Batch>()
  readonly #flushes = new Set<Flush>()
  #pendingBytes = 0
  /** Records that the processor holds: the staged ones, behind those that left ahead of their time. */
  #atProcessor = 0
  #wakeUp: Disposable | null = null

  constructor(config: ClientConfig, transport: Transport, drops: DropLog) {
    this.#config = config
    this.#transport = transport
    this.#drops = drops
    this.#backoff = new Backoff(config)
  }

  /** Takes a record into the ledger, for the processor to batch. False when its way ends here. */
  admit(record: HookLogRecord): boolean {
    if (!this.#fits(record) && !this.#makeRoomFor(record)) return false
    this.pending++
    this.#pendingBytes += record.byteLength
    this.#atProcessor++
    this.#staged.push(record)
    return true
  }

  /** Called by the processor when a batch is full or its time has come. */
  export(records: ReadableLogRecord[], done: (result: ExportResult) => void): void {
    this.#atProcessor -= records.length
    while (this.#staged.length > this.#atProcessor) this.#due.push(this.#staged.shift()!)
    done({ code: ExportResultCode.SUCCESS })
    this.#pump()
  }

  /** Resolves when every record that is pending now has left, or after the timeout. Keeps the process alive until then. */
  async flush(timeoutMillis: number): Promise<void> {
    while (this.#staged.length) this.#due.push(this.#staged.shift()!)
    if (this.pending === 0) return
    this.#pump()
    const { promise, resolve } = Promise.withResolvers<void>()
    const flush = { records: new Set(this.#allPending()), resolve }
    const timer = setTimeout(resolve, timeoutMillis)
    this.#flushes.add(flush)
    await promise
    this.#flushes.delete(flush)
    clearTimeout(timer)
  }

  /** The last flush: does not sit out a backoff, and gives up what is left when time is over. */
  async finish(timeoutMillis: number): Promise<void> {
    this.#backoff.hurry()
    this.#cancelWakeUp()
    await this.flush(timeoutMillis)
    this.giveUp(`not delivered to ${this.#transport.destination} within ${timeoutMillis} ms`)
  }

  /** Ends every attempt and lets go of everything that is pending, at once. */
  giveUp(message: string): void {
    const records = [...this.#allPending()]
    this.#transport.abort()
    this.#sending.clear()
    for (const queue of [this.#retries, this.#due, this.#staged]) while (queue.shift()) {}
    if (records.length) this.#drop(records, 'undeliverable', message)
  }

  /** For the processor, which has nothing to wait for. */
  async forceFlush(): Promise<void> {}

  /** For the processor, which does not own what lies behind it. */
  async shutdown(): Promise<void> {}

  #fits(record: HookLogRecord): boolean {
    const { maxQueueSize, maxQueueBytes } = this.#config
    return this.pending < maxQueueSize && this.#pendingBytes + record.byteLength <= maxQueueBytes
  }

  #makeRoomFor(record: HookLogRecord): boolean {
    const message = `the queue is full with ${this.pending} events, ${this.#pendingBytes} bytes`
    if (this.#config.queueFullPolicy === 'dropOldest') {
      while (!this.#fits(record)) {
        const oldest = this.#due.shift() ?? this.#staged.shift()
        if (!oldest) break
        this.#drop([oldest], 'queue_full', message)
      }
      if (this.#fits(record)) return true
    }
    this.#drops.add('queue_full', 1, message)
    return false
  }

  /** Arranges for the next batch to be sent, each in a turn of the event loop of its own, so that none stalls it long. */
  #pump(): void {
    const probing = this.#backoff.failures > 0
    if (this.#wakeUp || this.#sending.size >= (probing ? 1 : this.#config.concurrencyLimit)) return
    if (!this.#retries.length && !this.#due.length) return
    const wait = Math.min(this.#backoff.waitMillis, MAX_TIMER_MILLIS)
    this.#wakeUp = outsideOfScopes(() =>
      wait > 0 ? setTimeout(() => this.#sendNext(), wait).unref() : setImmediate(() => this.#sendNext()),
    )
  }

  #cancelWakeUp(): void {
    this.#wakeUp?.[Symbol.dispose]()
    this.#wakeUp = null
  }

  #sendNext(): void {
    this.#wakeUp = null
    const batch = this.#retries.shift() ?? this.#batchOfDue()
    if (!batch) return
    batch.attempts++
    this.#sending.add(batch)
    const failuresBefore = this.#backoff.failures
    void context
      .with(suppressTracing(ROOT_CONTEXT), () => this.#transport.send(batch))
      .then((outcome) => this.#settle(batch, outcome, failuresBefore))
    this.#pump()
  }

  #batchOfDue(): Batch | null {
    const records: HookLogRecord[] = []
    let bytes = 0
    for (const record of this.#due) {
      bytes += record.byteLength
      if (records.length === this.#config.batchSize || (records.length && bytes > MAX_REQUEST_BYTES)) break
      records.push(record)
    }
    for (const _ of records) this.#due.shift()
    return records.length ? { records, attempts: 0 } : null
  }

  #settle(batch: Batch, outcome: Outcome, failuresBefore: number): void {
    // Given up meanwhile: its records have left already.
    if (!this.#sending.delete(batch)) return
    if (outcome.kind === 'unavailable') this.#retryLater(batch, outcome, failuresBefore)
    else {
      this.#backoff.succeeded()
      if (outcome.kind === 'refused') this.#drop(batch.records, 'refused', outcome.message)
      else this.#deliver(batch, outcome)
    }
    this.#pump()
  }

  #deliver({ records }: Batch, { rejected, message }: Extract<Outcome, { kind: 'accepted' }>): void {
    this.delivered += records.length - rejected
    if (rejected) this.#drops.add('rejected', rejected, message)
    this.#leave(records)
  }

  #retryLater(
    batch: Batch,
    outcome: Extract<Outcome, { kind: 'unavailable' }>,
    failuresBefore: number,
  ): void {
    this.#backoff.failed(failuresBefore, outcome.retryAfterMillis)
    if (batch.attempts <= this.#config.maxRetryAttempts) this.#retries.push(batch)
    else this.#drop(batch.records, 'undeliverable', outcome.message)
  }

  #drop(records: readonly HookLogRecord[], reason: DropReason, message: string): void {
    this.#drops.add(reason, records.length, message)
    this.#leave(records)
  }

  /** The records are pending no more. */
  #leave(records: readonly HookLogRecord[]): void {
    this.pending -= records.length
    for (const record of records) this.#pendingBytes -= record.byteLength
    for (const flush of this.#flushes) {
      for (const record of records) flush.records.delete(record)
      if (flush.records.size === 0) flush.resolve()
    }
  }

  *#allPending(): Iterable<HookLogRecord> {
    for (const batch of this.#sending) yield* batch.records
    for (const batch of this.#retries) yield* batch.records
    yield* this.#due
    yield* this.#staged
  }
}

interface Flush {
  readonly records: Set<HookLogRecord>
  readonly resolve: () => void
}
