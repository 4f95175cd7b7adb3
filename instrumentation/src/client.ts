import { BatchLogRecordProcessor, type ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { type ClientConfig, resolveConfig } from './config.ts'
import { Delivery } from './delivery.ts'
import { DropLog, type DropReason } from './drops.ts'
import { type EmittedEvent, type RecordContext, toLogRecord } from './log-record.ts'
import type { HookClientOptions } from './options.ts'
import { OtlpTransport } from './otlp.ts'
import { Redactor } from './redact.ts'
import { INSTRUMENTATION_SCOPE, processResource } from './resource.ts'
import type { Transport } from './transport.ts'

/** What became of the events since the previous flush, and where the rest is now. */
export interface FlushResult {
  readonly delivered: number
  readonly dropped: number
  /** In the spool now. */
  readonly spooled: number
  /** In memory now: time was over before they were delivered. */
  readonly pending: number
}

/** Since the client was made. `emitted` is always `delivered + dropped + spooled + pending`. */
export interface ClientStats extends FlushResult {
  readonly emitted: number
  readonly droppedByReason: Readonly<Partial<Record<DropReason, number>>>
}

/** Takes any well-formed record, without the checks and the copies that `Logger.emit` makes of its own. */
interface Processor {
  onEmit(record: ReadableLogRecord): void
  shutdown(): Promise<void>
}

/**
 * Emits hook events. Open until `close`; from then on whatever is emitted is counted as dropped.
 * One client serves a process; more of them share its connections.
 */
export class HookClient implements AsyncDisposable {
  readonly #config: ClientConfig
  readonly #context: RecordContext
  readonly #drops: DropLog
  readonly #transport: Transport
  readonly #delivery: Delivery
  readonly #processor: Processor
  #emitted = 0
  #reported = { delivered: 0, dropped: 0 }
  #closed: Promise<FlushResult> | null = null

  /** @throws TypeError that names a wrong option, its value and what is allowed */
  constructor(options: HookClientOptions = {}) {
    const config = resolveConfig(options)
    this.#config = config
    this.#context = {
      resource: processResource(config.resourceAttributes),
      instrumentationScope: INSTRUMENTATION_SCOPE,
      redactor: config.redact === false ? null : new Redactor(config.redact === true ? {} : config.redact),
      maxPayloadBytes: config.maxPayloadBytes,
    }
    this.#drops = new DropLog(config.logger, config.onDrop)
    this.#transport = new OtlpTransport(config)
    this.#delivery = new Delivery(config, this.#transport, this.#drops)
    this.#processor = new BatchLogRecordProcessor({
      exporter: this.#delivery,
      maxExportBatchSize: config.batchSize,
      scheduledDelayMillis: config.flushIntervalMillis,
      // The ledger has the limits: the processor drops without a word.
      maxQueueSize: Number.MAX_SAFE_INTEGER,
    })
  }

  /** Takes an event to be delivered soon. Never throws and never waits; what cannot be taken is counted. */
  emit(event: EmittedEvent): void {
    if (this.#config.disabled) return
    this.#emitted++
    if (this.#closed) {
      this.#drops.add('closed', 1, 'the client is closed')
      return
    }
    try {
      const record = toLogRecord(event, this.#context)
      if (this.#delivery.admit(record)) this.#processor.onEmit(record)
    } catch (error) {
      this.#drops.add('invalid', 1, error instanceof Error ? error.message : 'what was emitted is no event')
    }
  }

  emitMany(events: Iterable<EmittedEvent>): void {
    for (const event of events) this.emit(event)
  }

  /**
   * Resolves when everything emitted before has been delivered, dropped or spooled, or after the timeout; also
   * when others flush, emit or close at the same time. Keeps the process alive until then. Never rejects.
   */
  async flush({ timeoutMillis = this.#config.flushTimeoutMillis } = {}): Promise<FlushResult> {
    await this.#delivery.flush(timeoutMillis)
    return this.#report()
  }

  /** Flushes within shutdownTimeoutMillis, gives up what is left then, and ends. Safe to call twice. */
  close(): Promise<FlushResult> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Events in memory. */
  get pendingCount(): number {
    return this.#delivery.pending
  }

  stats(): ClientStats {
    return {
      emitted: this.#emitted,
      delivered: this.#delivery.delivered,
      dropped: this.#drops.total,
      droppedByReason: { ...this.#drops.counts },
      spooled: 0,
      pending: this.#delivery.pending,
    }
  }

  /** Does nothing: a client is ready when it is made. For code that comes from clients with a start. */
  async start(): Promise<void> {}

  async #close(): Promise<FlushResult> {
    await this.#delivery.finish(this.#config.shutdownTimeoutMillis)
    await this.#processor.shutdown()
    await this.#transport.close()
    return this.#report()
  }

  #report(): FlushResult {
    this.#drops.report()
    const { delivered, dropped, spooled, pending } = this.stats()
    const before = this.#reported
    this.#reported = { delivered, dropped }
    return { delivered: delivered - before.delivered, dropped: dropped - before.dropped, spooled, pending }
  }
}
