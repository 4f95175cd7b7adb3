import type { EventBatch } from './batch.ts'

/**
 * Makes batches durable. This file is the whole contract between the receiver and a store; every exporter,
 * third-party ones included, runs the conformance suite of `@agentic-hooks/events/testing`.
 */
export interface Exporter {
  readonly name: string
  /** true: a batch that arrives again is stored once (PostgreSQL). false: at least once, ids stay the same (JSONL). */
  readonly idempotent: boolean
  start(): Promise<void>
  /** Rejects with the reason while `export` would fail. */
  health(): Promise<void>
  /** What somebody has to look at although `export` works, such as work on its tables that fails; null when nothing. */
  readonly degradation?: string | null
  /**
   * Resolves once every event of the batch is durable. Rejects with PermanentExportError when the same batch
   * can never succeed; any other error means "retry later". A batch may arrive again (at-least-once): the
   * event id identifies duplicates. The exporter may keep the batch, which never changes.
   */
  export(batch: EventBatch, options: ExportOptions): Promise<ExportResult>
  /** What an import calls before it exports a batch, so that the store can make room for events of any time. */
  prepareImport?(batch: EventBatch): Promise<void>
  /** Safe before start() and when called twice. Resolves when everything accepted is durable. */
  shutdown(): Promise<void>
}

/** How long the caller of `export` waits. */
export interface ExportOptions {
  /** Aborted when nobody waits any more: the exporter may reject, and may still store the batch. */
  readonly signal: AbortSignal
  /**
   * Milliseconds that the caller can wait, not negative. A store with a faster way to make the batch durable, as a
   * spool has, takes that way once they are over; any other ignores them, and the signal alone ends an export.
   * Default: as long as the store itself allows.
   */
  readonly patienceMillis?: number
}

/** `stored + duplicates + rejected.length` is the number of events in the batch. */
export interface ExportResult {
  readonly stored: number
  readonly duplicates: number
  readonly rejected: readonly Rejection[]
}

/** One event that can never be stored, and why. */
export interface Rejection {
  readonly eventId: string
  readonly reason: string
}

/** Where an exporter tells the operator about its state; pino's loggers fit. */
export interface ExporterLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** The parts of the receiver that an exporter may use. */
export interface ExporterContext {
  /** The receiver's log, at its level. Nothing of an event and no secret belongs into a line. */
  readonly logger: ExporterLogger
}

/**
 * The function that the module of an exporter exports as `createExporter`, so that the receiver can load it by
 * package name. Throws an Error that names the option, its value and what is allowed.
 */
export type CreateExporter = (
  options: Readonly<Record<string, unknown>>,
  context: ExporterContext,
) => Exporter
