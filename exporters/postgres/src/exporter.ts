import { setTimeout as delay } from 'node:timers/promises'
import type {
  EventBatch,
  EventPage,
  EventQuery,
  EventReader,
  Exporter,
  ExporterContext,
  ExportOptions,
  ExportResult,
  PageRequest,
  SessionPage,
} from '@agentic-hooks/events'
import type { Client, Pool } from 'pg'
import { readClocks } from './connection/clock.ts'
import { connect, createPool, disconnect } from './connection/connection.ts'
import { SchemaError, UnavailableError } from './connection/errors.ts'
import { refusePooler } from './connection/pooler.ts'
import { isWithoutPartition, remedyOf } from './connection/sqlstate.ts'
import { type ResolvedOptions, resolveOptions } from './options.ts'
import { Reader } from './reader.ts'
import { maintain } from './schema/maintenance.ts'
import { MaintenanceLoop } from './schema/maintenance-loop.ts'
import { applyMigrations, pendingMigrations } from './schema/migrations.ts'
import { GroupCommit } from './write/group-commit.ts'

const START_RETRY_MILLIS = 250
/** A difference of clocks that is allowed, and worth a warning. */
const CLOCK_WARNING_MILLIS = 60_000
/** A start that waits says so at once, and then so often. */
const START_REPORT_MILLIS = 5_000

/**
 * Stores events in PostgreSQL, each exactly once.
 *
 * New until `start()`, which may be called again when it failed; then started, with connections that come and
 * go (see GroupCommit); `shutdown()` ends it for good.
 */
export class PostgresExporter implements Exporter, EventReader {
  readonly name = 'postgres'
  readonly idempotent = true
  readonly #options: ResolvedOptions
  readonly #commits: GroupCommit
  readonly #maintenance: MaintenanceLoop
  readonly #closing = new AbortController()
  #pool: Pool | null = null

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#commits = new GroupCommit(options)
    this.#maintenance = new MaintenanceLoop(options)
  }

  /**
   * Waits up to `startTimeoutMillis` for a server that is not there yet, and logs what it waits for.
   * @throws UnavailableError when it stays away, or refuses this configuration
   */
  async start(): Promise<void> {
    const { signal } = this.#closing
    const { startTimeoutMillis, logger } = this.#options
    const deadline = performance.now() + startTimeoutMillis
    let saidAt = -Infinity
    for (;;) {
      try {
        signal.throwIfAborted()
        await this.#prepare()
        await this.#commits.open()
        if (this.#options.manageSchema) this.#maintenance.start()
        return
      } catch (error) {
        const isFinal = signal.aborted || remedyOf(error) === 'configuration' || performance.now() >= deadline
        const failure = UnavailableError.from(error)
        if (isFinal) throw failure
        if (performance.now() - saidAt >= START_REPORT_MILLIS) {
          saidAt = performance.now()
          const leftMillis = Math.round(deadline - saidAt)
          logger.warn(
            { reason: failure.message, leftMillis, startTimeoutMillis },
            'waiting for PostgreSQL to start',
          )
        }
      }
      await delay(START_RETRY_MILLIS, undefined, { signal }).catch(() => {})
    }
  }

  async #prepare(): Promise<void> {
    const client = await connect(this.#options)
    try {
      await refusePooler(client, this.#options)
      await this.#warnOfClock(client)
      await this.#warnWithoutFsync(client)
      if (this.#options.manageSchema) await this.#prepareSchema(client)
      else await checkSchema(client)
      this.#pool ??= createPool(this.#options)
    } finally {
      await disconnect(client)
    }
  }

  async #warnOfClock(client: Client): Promise<void> {
    const { differenceMillis, agree, description } = await readClocks(client, this.#options)
    if (!agree || Math.abs(differenceMillis) < CLOCK_WARNING_MILLIS) return
    this.#options.logger.warn({ differenceMillis }, description)
  }

  async #warnWithoutFsync(client: Client): Promise<void> {
    const { rows } = await client.query<{ fsync: string }>('SHOW fsync')
    if (rows[0]?.fsync !== 'off') return
    this.#options.logger.warn(
      { fsync: 'off' },
      'PostgreSQL runs with fsync off: a crash of its machine LOSES ACKNOWLEDGED EVENTS and may corrupt the database',
    )
  }

  async #prepareSchema(client: Client): Promise<void> {
    const applied = await applyMigrations(client)
    for (const { version, name } of applied)
      this.#options.logger.info({ version, name }, 'migrated the schema')
    try {
      // Only what is wanted before the first event; dropping may have to wait for locks.
      await maintain(client, { ...this.#options, retentionDays: null }, 'leave')
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'cannot make partitions; the default one takes the events')
    }
  }

  async health(): Promise<void> {
    const failure = this.#commits.refusal ?? this.#commits.failure
    if (failure) throw failure
    await this.#reader.ping(this.#options)
  }

  /** Partitions that cannot be made or dropped: meanwhile the default partition takes the events. */
  get degradation(): string | null {
    return this.#maintenance.failure && `cannot maintain the schema: ${this.#maintenance.failure.message}`
  }

  async export(batch: EventBatch, { signal }: ExportOptions): Promise<ExportResult> {
    if (batch.events.length === 0) return { stored: 0, duplicates: 0, rejected: [] }
    try {
      return await this.#commits.add(batch, signal)
    } catch (error) {
      // Whoever sent it sends it again; by then there is a default partition.
      if (error instanceof Error && isWithoutPartition(error.cause)) this.#maintenance.hurry()
      throw error
    }
  }

  /** Makes the partitions that the events belong into, so that none of them lands in the default one. */
  async prepareImport(batch: EventBatch): Promise<void> {
    if (this.#options.manageSchema) await this.#maintenance.ensurePartitions(batch)
  }

  async readEvents(query: EventQuery, page?: PageRequest): Promise<EventPage> {
    return this.#reader.readEvents(query, page)
  }

  async readSessions(query: EventQuery, page?: PageRequest): Promise<SessionPage> {
    return this.#reader.readSessions(query, page)
  }

  get #reader(): Reader {
    if (!this.#pool) throw new UnavailableError('the exporter is not started')
    return new Reader(this.#pool)
  }

  async shutdown(): Promise<void> {
    this.#closing.abort(new UnavailableError('the exporter is shut down'))
    this.#maintenance.stop()
    await this.#commits.close()
    const pool = this.#pool
    this.#pool = null
    await pool?.end()
  }
}

async function checkSchema(client: Client): Promise<void> {
  const pending = await pendingMigrations(client)
  if (pending.length === 0) return
  const names = pending.map(({ version, name }) => `${version} ${name}`).join(', ')
  throw new SchemaError(
    `the database lacks migrations (${names}) and manageSchema is false: run migrate as the owner of the tables`,
  )
}

/**
 * Called by the receiver to load this package. The options are {@link PostgresExporterOptions}; the default logger
 * prints warnings to the console.
 * @throws Error that names the first wrong option, its value and what is allowed
 */
export function createExporter(
  options: Readonly<Record<string, unknown>>,
  { logger }: Partial<ExporterContext> = {},
): PostgresExporter {
  return new PostgresExporter(resolveOptions(options, logger))
}
