import type { Attributes, LoggerProvider, MeterProvider } from '@opentelemetry/api'
import type { LogRecordExporter } from '@opentelemetry/sdk-logs'
import type { RedactOptions } from '../record/redact.ts'
import type { ClientLogger, Drop } from './types.ts'

export type Headers = Readonly<Record<string, string>>

/** Certificates for an `https` endpoint, in PEM. */
export interface TlsOptions {
  /** Certificate authorities to trust instead of Node's own. */
  readonly ca?: string | Buffer
  /** The client's own certificate, with its key. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
}

/**
 * Every option may be left out. What is given here beats the environment, which beats the default. A wrong value
 * throws at construction and names the option; a wrong value in the environment is logged and ignored.
 */
export interface HookClientOptions {
  /**
   * The receiver or Collector: its base URL, to which `/v1/logs` is added, or the whole URL with that path.
   * Default: OTEL_EXPORTER_OTLP_LOGS_ENDPOINT (used as it is), OTEL_EXPORTER_OTLP_ENDPOINT, `http://localhost:4318`.
   */
  readonly endpoint?: string | URL
  /** Default: OTEL_EXPORTER_OTLP_[LOGS_]PROTOCOL, `http/protobuf`. */
  readonly protocol?: 'http/protobuf' | 'http/json'
  /**
   * Sent with every request; a function is asked before each. When it throws, the attempt counts as failed.
   * Default: OTEL_EXPORTER_OTLP_[LOGS_]HEADERS.
   */
  readonly headers?: Headers | (() => Headers | Promise<Headers>)
  /** Default: OTEL_EXPORTER_OTLP_[LOGS_]COMPRESSION, `none`: on the same machine gzip costs more than it saves. */
  readonly compression?: 'none' | 'gzip'
  /** Default: the files that OTEL_EXPORTER_OTLP_[LOGS_]{CERTIFICATE,CLIENT_CERTIFICATE,CLIENT_KEY} name. */
  readonly tls?: TlsOptions
  /** Delivers in place of OTLP/HTTP, with the same queue, retries and spool. Then the options above do nothing. */
  readonly exporter?: LogRecordExporter
  /** Takes the records as they are emitted. The guarantees are then its own: no queue, retry or spool of ours. */
  readonly loggerProvider?: LoggerProvider

  /** Events in one request, 1 to 10,000. More stall the event loop longer. Default: OTEL_BLRP_MAX_EXPORT_BATCH_SIZE, 50. */
  readonly batchSize?: number
  /** Longest that an event waits for a batch to fill, 1 to 3,600,000. Default: OTEL_BLRP_SCHEDULE_DELAY, 1,000. */
  readonly flushIntervalMillis?: number
  /** Most events in memory, those being sent included. At the limit see `queueFullPolicy`. Default: OTEL_BLRP_MAX_QUEUE_SIZE, 2,048. */
  readonly maxQueueSize?: number
  /** Most bytes in memory, about, in the same way. Default: 67,108,864. */
  readonly maxQueueBytes?: number
  /** What gives way when the queue is full and there is no spool to take it. Default: `dropNewest`. */
  readonly queueFullPolicy?: 'dropNewest' | 'dropOldest'
  /** Most bytes of one event's `data`, about; what lies beyond is cut and says so. Default: 4,194,304. */
  readonly maxPayloadBytes?: number
  /** Requests under way at once, 1 to 100. Default: 4. */
  readonly concurrencyLimit?: number

  /** How often a batch is sent again before it goes to the spool or is dropped, 0 to 1,000. Default: 5. */
  readonly maxRetryAttempts?: number
  /** Wait after the first failure. Default: 1,000. */
  readonly retryInitialDelayMillis?: number
  /** How much longer each further wait is, 1 to 10. Default: 2. */
  readonly retryBackoffFactor?: number
  /** Longest wait between attempts; a server's Retry-After may be longer. Default: 30,000. */
  readonly retryMaxDelayMillis?: number
  /** Random share of each wait, 0 to 1, so that a swarm does not come back at once: 0.2 is ±20 %. Default: 0.2. */
  readonly retryJitter?: number
  /** Longest that one request may take, its answer included. Default: OTEL_EXPORTER_OTLP_[LOGS_]TIMEOUT, 10,000. */
  readonly exportTimeoutMillis?: number
  /** Longest that `flush()` waits. Default: OTEL_BLRP_EXPORT_TIMEOUT, 30,000. */
  readonly flushTimeoutMillis?: number
  /** Longest that `close()`, or the end of the process, is delayed; also the longest wait for a connection. Default: 2,000. */
  readonly shutdownTimeoutMillis?: number

  /** Directory for events that cannot be delivered in time (docs/guide/client.md). Default: AGENTIC_HOOKS_SPOOL, none: then such events are dropped and counted. */
  readonly spool?: string
  /** Most bytes of all files in that directory; beyond it events are dropped and counted. Default: 268,435,456. */
  readonly maxSpoolBytes?: number
  /** `disk`: every event is in the spool before `emit` returns, so that `kill -9` loses none. Needs `spool`. Default: AGENTIC_HOOKS_DURABILITY, `memory`. */
  readonly durability?: 'memory' | 'disk'

  /** Secrets in `data`. `false` sends everything as it is. Default: AGENTIC_HOOKS_REDACT, `true`: the well-known ones are replaced (docs/guide/client.md). */
  readonly redact?: boolean | RedactOptions
  /** Joins, and wins over, OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME. */
  readonly resourceAttributes?: Attributes
  /** Told of every loss, soon after it: how many events, and why. */
  readonly onDrop?: (drop: Drop) => void
  /** Default: warnings to `console.warn`, the rest to OpenTelemetry's `diag`. */
  readonly logger?: ClientLogger
  /** Where to report what `stats()` says as metrics. Default: nowhere. */
  readonly meterProvider?: MeterProvider
  /** `true`: `emit` does nothing. Default: OTEL_SDK_DISABLED, `false`. */
  readonly disabled?: boolean
}
