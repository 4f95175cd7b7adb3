import { setTimeout as delay } from 'node:timers/promises'
import type { EventBatch, Exporter, ExportResult } from '@agentic-hooks/events'
import { connect } from './connection.ts'
import { GroupCommit } from './group-commit.ts'
import { applyMigrations, pendingMigrations } from './migrations.ts'
import { type ResolvedOptions, resolveOptions } from './options.ts'
import { remedyOf, UnavailableError } from './sqlstate.ts'

const START_RETRY_MILLIS = 250

export class PostgresExporter implements Exporter {
  readonly name = 'postgres'
  readonly idempotent = true
  readonly #options: ResolvedOptions
  readonly #commits: GroupCommit

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#commits = new GroupCommit(options)
  }

  /** @throws UnavailableError when the server stays away for `startTimeoutMillis` or will not have us */
  async start(): Promise<void> {
    const deadline = Date.now() + this.#options.startTimeoutMillis
    for (;;) {
      try {
        await this.#prepareSchema()
        return await this.#commits.open()
      } catch (error) {
        if (remedyOf(error) !== 'reconnect' || Date.now() >= deadline) throw UnavailableError.from(error)
      }
      await delay(START_RETRY_MILLIS)
    }
  }

  async #prepareSchema(): Promise<void> {
    const client = await connect(this.#options)
    try {
      if (this.#options.manageSchema) await applyMigrations(client)
      else if ((await pendingMigrations(client)).length > 0) throw new Error('todo')
    } finally {
      await client.end()
    }
  }

  async health(): Promise<void> {
    if (this.#commits.refusal) throw this.#commits.refusal
  }

  async export(batch: EventBatch, signal: AbortSignal): Promise<ExportResult> {
    if (batch.events.length === 0) return { stored: 0, duplicates: 0, rejected: [] }
    return this.#commits.add(batch, signal)
  }

  shutdown(): Promise<void> {
    return this.#commits.close()
  }
}

export function createExporter(options: Readonly<Record<string, unknown>>): PostgresExporter {
  return new PostgresExporter(resolveOptions(options))
}
