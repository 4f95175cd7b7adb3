import { batchOf, type EventRecord, type ExporterContext, type ExportResult } from '@agentic-hooks/events'
import { execute } from '@agentic-hooks/testing/postgres'
import { onTestFinished } from 'vitest'
import { createExporter, type PostgresExporter, type PostgresExporterOptions } from '../src/index.ts'

export const SILENT = { info() {}, warn() {} }

/** Remembers what it is told. */
export class RecordingLogger {
  readonly infos: { fields: Record<string, unknown>; message: string }[] = []
  readonly warnings: { fields: Record<string, unknown>; message: string }[] = []

  info(fields: object, message: string): void {
    this.infos.push({ fields: { ...fields }, message })
  }

  warn(fields: object, message: string): void {
    this.warnings.push({ fields: { ...fields }, message })
  }
}

/** Many times faster than a new database. */
export async function emptyDatabase(databaseUrl: string): Promise<void> {
  await execute(databaseUrl, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
}

/** A started exporter, with few partitions, that is shut down when the test ends. */
export async function startExporter({
  logger = SILENT,
  ...options
}: PostgresExporterOptions & Partial<ExporterContext>): Promise<PostgresExporter> {
  const exporter = createExporter({ partitionsAhead: 1, ...options }, { logger })
  onTestFinished(() => exporter.shutdown())
  await exporter.start()
  return exporter
}

export function send(
  exporter: PostgresExporter,
  events: readonly EventRecord[],
  signal = new AbortController().signal,
): Promise<ExportResult> {
  return exporter.export(batchOf(events), { signal })
}

/** Sends until it is stored, as the receiver's clients do. */
export async function sendUntilStored(
  exporter: PostgresExporter,
  events: readonly EventRecord[],
): Promise<ExportResult> {
  for (;;) {
    try {
      return await send(exporter, events)
    } catch {
      // The next attempt of a client; there is nothing here to wait for but time.
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
