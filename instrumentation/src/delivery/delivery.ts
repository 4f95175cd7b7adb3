import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode, suppressTracing } from '@opentelemetry/core'
import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { within } from '../client/within.ts'
import type { ClientConfig } from '../options/config.ts'
import type { DropReason } from '../options/types.ts'
import type { HookLogRecord } from '../record/log-record.ts'
import { outsideOfScopes } from '../scope.ts'
import type { Batch, Outcome, Transport } from '../transport/transport.ts'
import { type Attempt, Backoff } from './backoff.ts'
import type { DropLog } from './drops.ts'
import { Flushes } from './flushes.ts'
import { Queue } from './queue.ts'
import { Spool } from './spool.ts'

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
 *
 * It ends by one verb per meaning, from the mildest on:
 * - `flush` waits until what is pending has left; nothing ends.
 * - `secure` sends what is pending and has it on disk meanwhile; nothing ends, but the process may at any moment.
 * - `finish` is a last flush of all, spool included, that gives up when its time is over. `beforeExit` is that of a
 *   process that has nothing else to do.
 * - `giveUp` ends every attempt at once; what is pending goes to the spool or is dropped. To `abort` is what the
 *   transport does in it: it ends the requests under way.
 * - `close` comes after one of these two and lets go of the spool and the connections, for good.
 */
export class Delivery implements LogRecordExporter {
  pending = 0
  /** Includes what dead processes had left in the spool. */
  delivered = 0
  readonly #config: ClientConfig
  readonly #transport: Transport
  readonly #drops: DropLog
  readonly #spool: Spool | null
  readonly #backoff: Backoff

  readonly #staged = new Queue<HookLogRecord>()
  readonly #due = new Queue<HookLogRecord>()
  readonly #retries = new Queue<Batch>()
  readonly #sending = new Set<Batch>()
  readonly #flushes = new Flushes()
  #acceptedAt = Number.NEGATIVE_INFINITY
  #pendingBytes = 0
  /** Records that the processor holds: the staged ones, behind those that left ahead of their time. */
  #atProcessor = 0
  #wakeUp: Disposable | null = null
  /** The end of the process waits for the spool once only: it may be long. */
  #isSpoolTried = false

  /** @throws Error when the spool's directory cannot be made */
  constructor(config: ClientConfig, transport: Transport, drops: DropLog) {
    this.#config = config
    this.#transport = transport
    this.#drops = drops
    this.#backoff = new Backoff(config)
    this.#spool = config.spool ? new Spool(config, drops, () => this.#pump()) : null
  }

  /** Events that wait in the spool. */
  get spooled(): number {
    return this.#spool?.size ?? 0
  }

  /** Events of dead processes that have been delivered or dropped. */
  get adopted(): number {
    return this.#spool?.adopted ?? 0
  }

  /** True when the spool is empty, or cannot drain while the destination fails. */
  get #isSpoolDone(): boolean {
    const isUnderWay = this.#sending.size > 0 || this.#retries.length > 0
    return this.#backoff.failures > 0 || !(this.#spool?.hasDue || isUnderWay)
  }

  /** Takes a record into the ledger, for the processor to batch. False when its way ends here. */
  admit(record: HookLogRecord): boolean {
    if (!this.#fits(record) && !this.#makeRoomFor(record)) return false
    if (this.#config.durability === 'disk') this.#spool?.hold(record)
    this.pending++
    this.#pendingBytes += record.byteLength
    this.#atProcessor++
    this.#staged.push(record)
    return true
  }

  /** Called by the processor when a batch is full or its time has come. */
  export(records: ReadableLogRecord[], done: (result: ExportResult) => void): void {
    this.#atProcessor -= records.length
    this.#takeStaged(this.#atProcessor)
    done({ code: ExportResultCode.SUCCESS })
    this.#pump()
  }

  /** For the processor, which has nothing to wait for. */
  async forceFlush(): Promise<void> {}

  /** For the processor, which does not own what lies behind it. */
  async shutdown(): Promise<void> {}

  /**
   * Resolves when every record that is pending now has left, or after the timeout. Keeps the process alive until
   * then, as requests of their own do not.
   * @param withSpool waits for the spool too, unless the destination fails
   */
  async flush(timeoutMillis: number, { withSpool = false } = {}): Promise<void> {
    this.#takeStaged(0)
    this.#pump()
    await this.#flushes.wait(this.#allPending(), () => !withSpool || this.#isSpoolDone, timeoutMillis)
  }

  /** The last flush: does not sit out a backoff, delivers the spool too, and then gives up. */
  async finish(timeoutMillis: number): Promise<void> {
    const deadline = Date.now() + timeoutMillis
    await within(timeoutMillis, this.#spool?.ready)
    this.#backoff.hurry()
    this.#cancelWakeUp()
    if (timeoutMillis > 0) await this.flush(Math.max(0, deadline - Date.now()), { withSpool: true })
    this.giveUp(`not delivered to ${this.#transport.destination} within ${timeoutMillis} ms`)
  }

  /** Ends every attempt; what is pending goes to the spool or is dropped. All at once: the process may be ending. */
  giveUp(message: string): void {
    const records = [...this.#allPending()]
    for (const { spooled } of [...this.#sending, ...this.#retries]) if (spooled) this.#spool?.putBack(spooled)
    this.#sending.clear()
    for (const queue of [this.#retries, this.#due, this.#staged]) queue.clear()
    this.#transport.abort()
    this.#cancelWakeUp()
    this.#spill(records, 'undeliverable', message)
  }

  /**
   * The last flush of a process that has nothing else to do. A connection attempt, which cannot be unreferenced,
   * may have delayed its end already: that time counts.
   */
  async beforeExit(): Promise<void> {
    if (this.pending === 0 && (this.#isSpoolTried || !this.#spool?.hasDue)) return
    this.#isSpoolTried = true
    await this.finish(this.#config.shutdownTimeoutMillis - this.#backoff.heldMillis)
  }

  /** Sends what is pending without further delay, and puts it on disk in case that time does not suffice. */
  secure(): void {
    for (const record of this.#allPending()) this.#spool?.hold(record)
    this.#takeStaged(0)
    this.#pump()
  }

  /** Lets go of the spool and the connections, for good; what is in the spool is left to others. */
  async close(timeoutMillis: number): Promise<void> {
    this.#spool?.close()
    await within(timeoutMillis, this.#transport.close())
  }

  /** Makes the oldest staged records due, until `left` are left. */
  #takeStaged(left: number): void {
    while (this.#staged.length > left) this.#due.push(this.#staged.shift()!)
  }

  #fits(record: HookLogRecord): boolean {
    const { maxQueueSize, maxQueueBytes } = this.#config
    return this.pending < maxQueueSize && this.#pendingBytes + record.byteLength <= maxQueueBytes
  }

  /** With a spool the oldest records move there, a batch at a time; else the policy decides. */
  #makeRoomFor(record: HookLogRecord): boolean {
    const message = `the queue is full with ${this.pending} events, ${this.#pendingBytes} bytes`
    const mayDisplace = this.#spool !== null || this.#config.queueFullPolicy === 'dropOldest'
    while (mayDisplace && !this.#fits(record)) {
      const oldest = this.#takeOldest(this.#spool ? this.#config.batchSize : 1)
      if (oldest.length === 0) break
      this.#spill(oldest, 'queue_full', message)
    }
    if (this.#fits(record)) return true
    this.#store([record], 'queue_full', message)
    return false
  }

  /** Of the records that are not being sent. */
  #takeOldest(count: number): HookLogRecord[] {
    const oldest: HookLogRecord[] = []
    while (oldest.length < count) {
      const record = this.#due.shift() ?? this.#staged.shift()
      if (!record) break
      oldest.push(record)
    }
    return oldest
  }

  /** Arranges for the next batch to be sent, each in a turn of the event loop of its own, so that none stalls it long. */
  #pump(): void {
    const limit = this.#backoff.failures > 0 ? 1 : this.#config.concurrencyLimit
    if (this.#wakeUp || this.#sending.size >= limit) return
    if (!this.#retries.length && !this.#due.length && !this.#spool?.hasDue) return
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
    const batch = this.#retries.shift() ?? this.#batchOfDue() ?? this.#batchOfSpool()
    if (!batch) return
    batch.attempts++
    this.#sending.add(batch)
    const attempt = this.#backoff.begin()
    void context
      .with(suppressTracing(ROOT_CONTEXT), () => this.#transport.send(batch))
      .then((outcome) => this.#settle(batch, outcome, attempt))
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

  #batchOfSpool(): Batch | null {
    const spooled = this.#spool?.take(this.#config.batchSize, MAX_REQUEST_BYTES)
    return spooled ? { records: spooled.records, spooled, attempts: 0 } : null
  }

  #settle(batch: Batch, outcome: Outcome, attempt: Attempt): void {
    const wasFailing = this.#backoff.failures > 0
    const hasFailed = this.#isFailure(outcome)
    if (outcome.kind === 'accepted') this.#acceptedAt = performance.now()
    if (hasFailed) this.#backoff.failed(attempt, 'retryAfterMillis' in outcome ? outcome.retryAfterMillis : 0)
    else this.#backoff.succeeded()
    // Given up meanwhile: its records have left already.
    if (!this.#sending.delete(batch)) return
    this.#tell(wasFailing, hasFailed, outcome.message)
    if (outcome.kind === 'accepted') this.#count(batch, outcome)
    else if (outcome.kind === 'unavailable') this.#retryLater(batch, outcome.message)
    else if (!this.#spool) this.#drop(batch, outcome.message)
    else if (outcome.kind === 'denied') this.#waitInSpool(batch, outcome.message)
    else this.#narrowDown(batch, outcome)
    this.#flushes.check()
    this.#pump()
  }

  /** Whether to be slower from now on. Without a spool a refused batch is given up, and says nothing about the next. */
  #isFailure({ kind }: Outcome): boolean {
    return kind === 'unavailable' || (kind !== 'accepted' && this.#spool !== null)
  }

  #count({ records, spooled }: Batch, { rejected, message }: Outcome & { kind: 'accepted' }): void {
    this.delivered += records.length - rejected
    if (rejected) this.#drops.add('rejected', rejected, message)
    if (spooled) this.#spool?.finish(spooled)
    else this.#leave(records)
  }

  #drop({ records, spooled }: Batch, message: string): void {
    this.#drops.add('refused', records.length, message)
    if (spooled) this.#spool?.finish(spooled)
    else this.#leave(records)
  }

  #waitInSpool({ records, spooled }: Batch, message: string): void {
    if (spooled) this.#spool?.putBack(spooled)
    else this.#spill(records, 'refused', message)
  }

  /**
   * A refused batch is sent again in halves, down to single records. One of these is given up only when the server has
   * accepted something since it refused it: a proxy that answers 400 or 413 to everything is not its fault.
   */
  #narrowDown(batch: Batch, { message, isCertain }: Outcome & { kind: 'refused' }): void {
    const { records, spooled } = batch
    const refusedAt = batch.refusedAt ?? performance.now()
    if (records.length > 1) {
      this.#retries.push(...halvesOf(batch, refusedAt))
      return
    }
    const firstRefusedAt = Math.min(refusedAt, spooled ? this.#spool!.refusedAt(spooled) : refusedAt)
    if (!isCertain && this.#acceptedAt < firstRefusedAt) {
      this.#waitInSpool(batch, message)
      return
    }
    const path = this.#spool!.setAside(records)
    this.#drop(batch, path === null ? message : `${message}; kept in ${path}`)
  }

  #tell(wasFailing: boolean, isFailing: boolean, message: string): void {
    const { destination } = this.#transport
    if (isFailing && !wasFailing) {
      this.#config.logger.warn(`cannot deliver to ${destination}, will try again: ${message}`)
    }
    if (!isFailing && wasFailing) this.#config.logger.info(`delivering to ${destination} again`)
  }

  #retryLater(batch: Batch, message: string): void {
    if (batch.spooled) this.#spool?.putBack(batch.spooled)
    else if (batch.attempts <= this.#config.maxRetryAttempts) this.#retries.push(batch)
    else this.#spill(batch.records, 'undeliverable', message)
  }

  #spill(records: readonly HookLogRecord[], reason: DropReason, message: string): void {
    this.#store(records, reason, message)
    this.#leave(records)
  }

  /** Into the spool; what there is no spool for, or no room in it, is dropped. */
  #store(records: readonly HookLogRecord[], reason: DropReason, message: string): void {
    const spool = this.#spool
    const lost = spool ? spool.add(records).length : records.length
    if (lost) this.#drops.add(spool?.problem?.reason ?? reason, lost, spool?.problem?.message ?? message)
  }

  /** The records are pending no more. */
  #leave(records: readonly HookLogRecord[]): void {
    this.#spool?.forget(records)
    this.pending -= records.length
    for (const record of records) this.#pendingBytes -= record.byteLength
    this.#flushes.left(records)
  }

  *#allPending(): Iterable<HookLogRecord> {
    for (const batch of this.#sending) if (!batch.spooled) yield* batch.records
    for (const batch of this.#retries) if (!batch.spooled) yield* batch.records
    yield* this.#due
    yield* this.#staged
  }
}

function halvesOf({ records, spooled }: Batch, refusedAt: number): Batch[] {
  const middle = records.length >> 1
  return [
    [0, middle],
    [middle, records.length],
  ].map(([start, end]) => {
    const half = { records: records.slice(start, end), attempts: 0, refusedAt }
    return spooled
      ? { ...half, spooled: { records: half.records, lines: spooled.lines.slice(start, end) } }
      : half
  })
}
