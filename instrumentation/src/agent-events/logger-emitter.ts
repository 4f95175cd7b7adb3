import type { HookEvent } from '@agentic-hooks/events'
import { type Logger, type LoggerProvider, logs } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import { DEFAULTS } from '../config.ts'
import { type RecordContext, toApiLogRecord, toLogRecord } from '../log-record.ts'
import { Redactor } from '../redact.ts'
import { quietly } from './error.ts'
import type { Emitter } from './recorder.ts'
import { version } from './version.ts'

/**
 * Emits through the LoggerProvider that the application registered, else through the fallback.
 *
 * The choice is made by event, since an application starts its SDK whenever it likes; once a provider has taken
 * an event it is kept, also when it is shut down, so that the events of one process never go two ways.
 */
export class LoggerEmitter implements Emitter {
  readonly #own: () => Logger
  readonly #name: string
  readonly #fallback: Emitter | undefined
  #provider: LoggerProvider | undefined
  #global: Logger | undefined
  #chosen: Logger | undefined
  /** Resource and scope are the provider's own; they do not become part of what its logger is given. */
  readonly #context: RecordContext

  /** @param own the logger that a NodeSDK gave to the instrumentation */
  constructor(own: () => Logger, name: string, fallback: Emitter | undefined) {
    this.#own = own
    this.#name = name
    this.#fallback = fallback
    this.#context = {
      resource: {} as Resource,
      instrumentationScope: { name, version },
      redactor: new Redactor(),
      maxPayloadBytes: DEFAULTS.maxPayloadBytes,
    }
  }

  emit(event: HookEvent): void {
    this.#chosen ??= this.#registered()
    const logger = this.#chosen
    if (!logger) this.#fallback?.emit(event)
    else quietly(() => logger.emit(toApiLogRecord(toLogRecord(event, this.#context))))
  }

  #registered(): Logger | undefined {
    const own = this.#own()
    if (own.enabled()) return own
    // The application's copy of the API may be another than ours; they share only the global provider.
    const provider = logs.getLoggerProvider()
    if (provider !== this.#provider) {
      this.#provider = provider
      this.#global = provider.getLogger(this.#name, version)
    }
    return this.#global?.enabled() ? this.#global : undefined
  }
}
