import { setTimeout as sleep } from 'node:timers/promises'
import type { EventBatch, EventRecord } from '../batch.ts'
import type { Exporter, ExportOptions, ExportResult, Rejection } from '../exporter.ts'

/**
 * Keeps records in memory, for tests of what stands before an exporter. It stores an event id once.
 *
 * It stores at once, unless it was told to fail, hang or be slow; recover() ends all of that, and exports that
 * hang are then stored. Hanging and slow exports reject when their signal aborts, hanging ones at shutdown too.
 */
export class SinkExporter implements Exporter {
  readonly name: string
  readonly idempotent: boolean = true
  /** Every batch that export() was called with, stored or not. */
  readonly calls: EventBatch[] = []

  readonly #records = new Map<string, EventRecord>()
  readonly #stop = new AbortController()
  readonly #pending = new Set<Promise<unknown>>()
  #started = false
  #failure: Error | null = null
  #hang: PromiseWithResolvers<void> | null = null
  #delayMillis = 0
  #reasonToReject: (record: EventRecord) => string | null = () => null

  constructor(name = 'sink') {
    this.name = name
  }

  /** What is stored, in order of arrival. */
  get records(): EventRecord[] {
    return [...this.#records.values()]
  }

  get started(): boolean {
    return this.#started
  }

  get isShutdown(): boolean {
    return this.#stop.signal.aborted
  }

  /** From now on export() and health() reject with this error: by default one that means "retry later". */
  fail(error: Error = new Error(`${this.name} was told to fail`)): void {
    this.#failure = error
  }

  /** From now on export() settles only at recover(), an abort or shutdown. */
  hang(): void {
    this.#hang ??= Promise.withResolvers()
  }

  /** From now on export() takes this long. */
  slow(delayMillis: number): void {
    this.#delayMillis = delayMillis
  }

  /** From now on the records with a reason are rejected by name. */
  reject(reason: (record: EventRecord) => string | null): void {
    this.#reasonToReject = reason
  }

  recover(): void {
    this.#failure = null
    this.#hang?.resolve()
    this.#hang = null
    this.#delayMillis = 0
    this.#reasonToReject = () => null
  }

  async start(): Promise<void> {
    this.#started = true
  }

  async health(): Promise<void> {
    if (this.#failure) throw this.#failure
    this.#stop.signal.throwIfAborted()
  }

  export(batch: EventBatch, { signal }: ExportOptions): Promise<ExportResult> {
    this.calls.push(batch)
    const result = this.#export(batch, signal)
    const settled = result.catch(() => {}).finally(() => this.#pending.delete(settled))
    this.#pending.add(settled)
    return result
  }

  async #export(batch: EventBatch, signal: AbortSignal): Promise<ExportResult> {
    signal.throwIfAborted()
    this.#stop.signal.throwIfAborted()
    if (this.#delayMillis) await sleep(this.#delayMillis, undefined, { signal })
    if (this.#hang) await Promise.race([this.#hang.promise, aborted(signal), aborted(this.#stop.signal)])
    if (this.#failure) throw this.#failure
    return this.#store(batch)
  }

  #store(batch: EventBatch): ExportResult {
    const rejected: Rejection[] = []
    let stored = 0
    for (const record of batch.events) {
      const reason = this.#reasonToReject(record)
      if (reason !== null) {
        rejected.push({ eventId: record.eventId, reason })
      } else if (!this.#records.has(record.eventId)) {
        this.#records.set(record.eventId, record)
        stored++
      }
    }
    return { stored, duplicates: batch.events.length - stored - rejected.length, rejected }
  }

  async shutdown(): Promise<void> {
    this.#stop.abort(new Error(`${this.name} is shut down`))
    await Promise.all(this.#pending)
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
