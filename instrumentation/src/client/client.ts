import { BatchLogRecordProcessor, type ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { runTool } from '../agents/tool-function.ts'
import { Delivery } from '../delivery/delivery.ts'
import { DropLog } from '../delivery/drops.ts'
import { type ClientDelivery, NOWHERE, ProviderDelivery } from '../delivery/provider-delivery.ts'
import { type ClientConfig, resolveConfig } from '../options/config.ts'
import type { HookClientOptions } from '../options/options.ts'
import {
  type EmittedEvent,
  type HookLogRecord,
  type RecordContext,
  toLogRecord,
} from '../record/log-record.ts'
import { redactorOf } from '../record/redact.ts'
import { INSTRUMENTATION_SCOPE, processResource } from '../record/resource.ts'
import { ExporterTransport } from '../transport/exporter-transport.ts'
import { OtlpTransport } from '../transport/otlp.ts'
import { type Exiting, unwatchExit, watchExit } from './exit.ts'
import { Session, type SessionScope } from './session.ts'
import { type ClientStats, type FlushResult, observeStats } from './stats-metrics.ts'

/** Takes any well-formed record, without the checks and the copies that `Logger.emit` makes of its own. */
interface Processor {
  onEmit(record: ReadableLogRecord): void
  shutdown(): Promise<void>
}

const RESOLVED = Promise.resolve()

/**
 * Emits hook events. It is open from the start until `close`; what is emitted later is counted as dropped.
 * A process needs one; many share its connections.
 */
export class HookClient implements AsyncDisposable {
  readonly #config: ClientConfig
  readonly #context: RecordContext
  readonly #drops: DropLog
  readonly #delivery: ClientDelivery
  readonly #processor: Processor | null = null
  /** Not yet with the processor. */
  readonly #admitted: HookLogRecord[] = []
  readonly #exiting: Exiting
  #stopMetrics = () => {}
  #emitted = 0
  /** As of the latest flush. */
  #reported = { delivered: 0, dropped: 0 }
  #closed: Promise<FlushResult> | null = null

  /**
   * @throws TypeError that names a wrong option, its value and what is allowed
   * @throws Error when the spool's directory cannot be made
   */
  constructor(options: HookClientOptions = {}) {
    const config = resolveConfig(options)
    this.#config = config
    this.#context = recordContext(config)
    this.#drops = new DropLog(config.logger, config.onDrop)
    if (config.disabled || config.loggerProvider) {
      this.#delivery = new ProviderDelivery(config.loggerProvider ?? NOWHERE)
    } else {
      const transport = config.exporter
        ? new ExporterTransport(config.exporter, config.exportTimeoutMillis)
        : new OtlpTransport(config)
      const delivery = new Delivery(config, transport, this.#drops)
      this.#delivery = delivery
      this.#processor = new BatchLogRecordProcessor({
        exporter: delivery,
        maxExportBatchSize: config.batchSize,
        scheduledDelayMillis: config.flushIntervalMillis,
        // The delivery has the limits: the processor drops without a word.
        maxQueueSize: Number.MAX_SAFE_INTEGER,
      })
    }
    if (config.meterProvider) this.#stopMetrics = observeStats(config.meterProvider, () => this.stats())
    this.#exiting = this.#exit()
    watchExit(this.#exiting)
  }

  /** Takes an event to be delivered soon. Never throws and never waits; what cannot be taken is counted as dropped. */
  emit(event: EmittedEvent): void {
    if (this.#config.disabled) return
    this.#emitted++
    if (this.#closed) {
      this.#drops.add('closed', 1, 'the client is closed')
      return
    }
    try {
      const record = toLogRecord(event, this.#context)
      if (this.#delivery.admit(record)) this.#handOver(record)
    } catch (error) {
      this.#drops.add('invalid', 1, error instanceof Error ? error.message : 'it is no event')
    }
  }

  emitMany(events: Iterable<EmittedEvent>): void {
    for (const event of events) this.emit(event)
  }

  /** A session, or a part of it, that fills in the ids of what is emitted inside. */
  session(id: string, scope?: SessionScope): Session {
    return new Session((event) => this.emit(event), id, scope)
  }

  /**
   * Runs a tool: emits `tool_execution_started` with its input before, and `tool_execution_completed` with its
   * result, duration and success after it. Returns, or throws, what the function does. Inside a session's scope
   * the events belong to that session. What is emitted inside the tool, and the agents that it starts, name it as
   * `parent_tool_use_id`.
   */
  tool<I, T>(name: string, input: I, fn: (input: I) => T): T {
    return runTool((event) => this.emit(event), name, input, fn)
  }

  /**
   * Resolves when everything emitted before has been delivered, dropped or spooled, or after the timeout,
   * whatever else is emitted, flushed or closed meanwhile. Keeps the process alive until then. Never rejects.
   */
  async flush({ timeoutMillis = this.#config.flushTimeoutMillis } = {}): Promise<FlushResult> {
    await this.#delivery.flush(timeoutMillis)
    return this.#report()
  }

  /** Flushes within shutdownTimeoutMillis; what is left then goes to the spool or is dropped. Safe to call twice. */
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
      adopted: this.#delivery.adopted,
      delivered: this.#delivery.delivered,
      dropped: this.#drops.total,
      droppedByReason: { ...this.#drops.counts },
      spooled: this.#delivery.spooled,
      pending: this.#delivery.pending,
    }
  }

  /** Does nothing: a client is ready once it is made. For code that comes from clients with a start. */
  async start(): Promise<void> {}

  /**
   * All of a turn's records at once, when its code is done: the processor's timer would cost the first emit 3 µs. No
   * more than a batch waits, since the ledger may have let go of these meanwhile.
   */
  #handOver(record: HookLogRecord): void {
    const waiting = this.#admitted.push(record)
    if (waiting === 1) void RESOLVED.then(() => this.#process())
    else if (waiting > this.#config.batchSize) this.#process()
  }

  #process(): void {
    for (const record of this.#admitted.splice(0)) this.#processor?.onEmit(record)
  }

  async #close(): Promise<FlushResult> {
    const { shutdownTimeoutMillis } = this.#config
    await this.#delivery.finish(shutdownTimeoutMillis)
    const result = this.#report()
    await this.#processor?.shutdown()
    await this.#delivery.close(shutdownTimeoutMillis)
    this.#stopMetrics()
    unwatchExit(this.#exiting)
    return result
  }

  #report(): FlushResult {
    this.#drops.report()
    const { delivered, dropped, spooled, pending } = this.stats()
    const before = this.#reported
    this.#reported = { delivered, dropped }
    return { delivered: delivered - before.delivered, dropped: dropped - before.dropped, spooled, pending }
  }

  #exit(): Exiting {
    const delivery = this.#delivery
    return {
      beforeExit: () => delivery.beforeExit(),
      finish: () => delivery.finish(this.#config.shutdownTimeoutMillis).then(() => this.#drops.report()),
      secure: () => delivery.secure(),
      atExit: () => {
        delivery.giveUp('the process ended before they were delivered')
        void delivery.close(0)
        this.#drops.report({ atExit: true })
      },
    }
  }
}

function recordContext({ resourceAttributes, redact, maxPayloadBytes }: ClientConfig): RecordContext {
  return {
    resource: processResource(resourceAttributes),
    instrumentationScope: INSTRUMENTATION_SCOPE,
    redactor: redactorOf(redact),
    maxPayloadBytes,
  }
}
