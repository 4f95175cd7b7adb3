import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { LogRecordExporter } from '@opentelemetry/sdk-logs'
import { type Batch, failureOf, type Outcome, type Transport } from './transport.ts'

/** Sends through any exporter of OpenTelemetry's. What it says is all that is known: success or failure of a batch. */
export class ExporterTransport implements Transport {
  readonly destination: string
  readonly #exporter: LogRecordExporter
  readonly #timeoutMillis: number

  constructor(exporter: LogRecordExporter, timeoutMillis: number) {
    this.destination = exporter.constructor.name
    this.#exporter = exporter
    this.#timeoutMillis = timeoutMillis
  }

  async send({ records }: Batch): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const late = { kind: 'unavailable', message: `no result within ${this.#timeoutMillis} ms` } as const
    const timer = setTimeout(() => resolve(late), this.#timeoutMillis).unref()
    try {
      this.#exporter.export([...records], (result) => resolve(outcomeOf(result)))
    } catch (error) {
      resolve({ kind: 'unavailable', message: `export threw: ${error}` })
    }
    const outcome = await promise
    clearTimeout(timer)
    return outcome
  }

  /** An exporter's requests are its own. */
  abort(): void {}

  close(): Promise<void> {
    return this.#exporter.shutdown()
  }
}

function outcomeOf({ code, error }: ExportResult): Outcome {
  if (code === ExportResultCode.SUCCESS) return { kind: 'accepted', rejected: 0, message: '' }
  const message = error?.message ?? 'the exporter failed and gave no reason'
  // The OTLP exporters put the server's status there.
  const status = error && 'code' in error && typeof error.code === 'number' ? error.code : null
  return { kind: status === null ? 'unavailable' : failureOf(status), message }
}
