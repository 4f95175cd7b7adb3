import { setTimeout as sleep } from 'node:timers/promises'
import {
  type EventBatch,
  type Exporter,
  type ExportOptions,
  type ExportResult,
  isPermanentExportError,
  type Rejection,
} from '@agentic-hooks/events'
import type { Logger } from 'pino'
import { UnavailableError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import type { Admission, Ticket } from './admission.ts'
import { partsOf } from './batch-parts.ts'
import { giveWay } from './large-bodies.ts'

const FIRST_RETRY_MILLIS = 50
const MAX_RETRY_MILLIS = 1_000

export interface PipelineOptions {
  readonly exporters: readonly Exporter[]
  readonly admission: Admission
  readonly metrics: Metrics
  readonly log: Logger
  /** A failing exporter is tried again for so long. */
  readonly exportRetryMillis: number
  /** Everything together may take so long. */
  readonly exportTimeoutMillis: number
}

/** A batch on its way to one exporter. */
interface Job {
  readonly batch: EventBatch
  readonly options: ExportOptions
}

/** Hands a batch to every exporter and knows when all of them have made it durable. */
export class Pipeline {
  readonly #options: PipelineOptions
  readonly #failing = new Set<Exporter>()
  #retries = true

  constructor(options: PipelineOptions) {
    this.#options = options
  }

  /**
   * Resolves once every exporter has the batch. Takes over the ticket, which holds the batch's place until the
   * last exporter has let go of it, also where that is long after nobody waits any more.
   * @param patienceMillis after which a spool takes the batch, where there is one
   * @throws UnavailableError when an exporter could not store it in time
   */
  store(batch: EventBatch, ticket: Ticket, patienceMillis?: number): Promise<ExportResult> {
    const { exporters, exportTimeoutMillis } = this.#options
    const waitingFor = new Set(exporters)
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        const names = [...waitingFor].map(({ name }) => name).join(' and ')
        const error = this.#unavailable(`${names} did not answer in ${exportTimeoutMillis} ms`)
        ticket.abort(error)
        for (const exporter of waitingFor) this.#noteFailure(exporter, error)
      }
      const timer = setTimeout(giveUp, exportTimeoutMillis)
      ticket.signal.addEventListener('abort', () => reject(ticket.signal.reason))
      const job = {
        batch,
        options: { signal: ticket.signal, ...(patienceMillis !== undefined && { patienceMillis }) },
      }
      const exported = exporters.map((exporter) =>
        this.#exportParts(exporter, job).finally(() => waitingFor.delete(exporter)),
      )
      Promise.allSettled(exported)
        .then((outcomes) => resolve(combine(batch, outcomes)))
        .catch(reject)
        .finally(() => {
          clearTimeout(timer)
          ticket.leave()
        })
    })
  }

  /** From now on a failure is final: the process is about to end. */
  stopRetrying(): void {
    this.#retries = false
  }

  /** One part after the other; when one fails, those before it are stored and come again with the batch. */
  async #exportParts(exporter: Exporter, job: Job): Promise<ExportResult> {
    const results: ExportResult[] = []
    for (const batch of partsOf(job.batch)) {
      if (results.length > 0) await giveWay()
      job.options.signal.throwIfAborted()
      results.push(await this.#export(exporter, { ...job, batch }))
    }
    return results.length === 1 ? results[0]! : sum(results)
  }

  async #export(exporter: Exporter, job: Job): Promise<ExportResult> {
    const { batch, options } = job
    const { signal } = options
    const { metrics, exportRetryMillis } = this.#options
    const measured = metrics.exporter(exporter.name)
    const startedAt = performance.now()
    for (let delayMillis = FIRST_RETRY_MILLIS; ; delayMillis = Math.min(delayMillis * 2, MAX_RETRY_MILLIS)) {
      try {
        const attemptedAt = performance.now()
        const result = await exporter.export(batch, options)
        measured.stored(result, performance.now() - attemptedAt)
        this.#noteSuccess(exporter)
        return result
      } catch (error) {
        if (isPermanentExportError(error)) return this.#rejectAll(exporter, batch, error)
        signal.throwIfAborted()
        this.#noteFailure(exporter, error)
        const outOfTime = performance.now() - startedAt + delayMillis > exportRetryMillis
        if (outOfTime || !this.#retries) throw this.#unavailable(`${exporter.name} cannot store now`, error)
        await sleep(jittered(delayMillis), undefined, { signal })
        measured.retried()
      }
    }
  }

  #rejectAll(exporter: Exporter, batch: EventBatch, error: Error): ExportResult {
    const { log, metrics } = this.#options
    metrics.exporter(exporter.name).failed()
    log.error({ err: error, exporter: exporter.name, events: batch.events.length }, 'batch rejected')
    const rejected = batch.events.map(({ eventId }) => ({ eventId, reason: error.message }))
    return { stored: 0, duplicates: 0, rejected }
  }

  #unavailable(message: string, cause?: unknown): UnavailableError {
    return new UnavailableError(message, this.#options.admission.retryAfterSeconds(), { cause })
  }

  /** One line when an exporter begins to fail and one when it is well again, not one a request. */
  #noteFailure(exporter: Exporter, error: unknown): void {
    this.#options.metrics.exporter(exporter.name).failed()
    if (this.#failing.has(exporter)) return
    this.#failing.add(exporter)
    this.#options.log.error({ err: error, exporter: exporter.name }, 'exporter fails')
  }

  #noteSuccess(exporter: Exporter): void {
    if (this.#failing.delete(exporter))
      this.#options.log.info({ exporter: exporter.name }, 'exporter works again')
  }
}

function sum(results: readonly ExportResult[]): ExportResult {
  return {
    stored: results.reduce((total, { stored }) => total + stored, 0),
    duplicates: results.reduce((total, { duplicates }) => total + duplicates, 0),
    rejected: results.flatMap(({ rejected }) => rejected),
  }
}

/** A record that any exporter rejected counts as rejected, else one that any had already as duplicate. */
function combine(batch: EventBatch, outcomes: readonly PromiseSettledResult<ExportResult>[]): ExportResult {
  const results = outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
  if (results.length === 1) return results[0]!
  const rejected = new Map<string, Rejection>()
  for (const result of results) for (const one of result.rejected) rejected.set(one.eventId, one)
  const accepted = batch.events.length - rejected.size
  const duplicates = Math.min(accepted, Math.max(...results.map((result) => result.duplicates)))
  return { stored: accepted - duplicates, duplicates, rejected: [...rejected.values()] }
}

function jittered(millis: number): number {
  return millis * (0.75 + Math.random() / 2)
}
