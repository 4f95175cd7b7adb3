import type { HookEvent } from '@agentic-hooks/events'
import { type Logger, type LoggerProvider, logs } from '@opentelemetry/api'
import { quietly } from './error.ts'
import { loadEmission } from './load-emission.ts'
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

  /** @param own the logger that a NodeSDK gave to the instrumentation */
  constructor(own: () => Logger, name: string, fallback: Emitter | undefined) {
    this.#own = own
    this.#name = name
    this.#fallback = fallback
  }

  emit(event: HookEvent): void {
    this.#chosen ??= this.#registered()
    const logger = this.#chosen
    if (!logger) this.#fallback?.emit(event)
    else quietly(() => logger.emit(loadEmission().apiLogRecord(event)))
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
