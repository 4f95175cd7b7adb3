import { createNoopLogger, type Logger, type LoggerProvider } from '@opentelemetry/api'
import { within } from '../client/within.ts'
import { type HookLogRecord, toApiLogRecord } from '../record/log-record.ts'
import { INSTRUMENTATION_SCOPE } from '../record/resource.ts'
import type { Delivery } from './delivery.ts'

/** What the client needs of whatever delivers. */
export type ClientDelivery = Pick<
  Delivery,
  | 'admit'
  | 'pending'
  | 'delivered'
  | 'adopted'
  | 'spooled'
  | 'flush'
  | 'finish'
  | 'beforeExit'
  | 'secure'
  | 'giveUp'
  | 'close'
>

/** For a client that is disabled. */
export const NOWHERE: LoggerProvider = { getLogger: createNoopLogger }

/**
 * Hands records to a logger provider that the application has set up. `delivered` then means handed over: what
 * becomes of them is up to the provider, which says nothing about it.
 */
export class ProviderDelivery implements ClientDelivery {
  readonly pending = 0
  readonly adopted = 0
  readonly spooled = 0
  delivered = 0
  readonly #provider: LoggerProvider & { forceFlush?(): Promise<void> }
  readonly #logger: Logger

  constructor(provider: LoggerProvider) {
    this.#provider = provider
    this.#logger = provider.getLogger(INSTRUMENTATION_SCOPE.name, INSTRUMENTATION_SCOPE.version)
  }

  admit(record: HookLogRecord): boolean {
    this.#logger.emit(toApiLogRecord(record))
    this.delivered++
    return false
  }

  async flush(timeoutMillis: number): Promise<void> {
    await within(timeoutMillis, this.#provider.forceFlush?.())
  }

  finish(timeoutMillis: number): Promise<void> {
    return this.flush(timeoutMillis)
  }

  async beforeExit(): Promise<void> {}

  secure(): void {}

  giveUp(): void {}

  async close(): Promise<void> {}
}
