import type { ExporterContext } from '@agentic-hooks/events'
import type { Client } from 'pg'
import { connect, disconnect } from '../connection/connection.ts'
import { refusePooler } from '../connection/pooler.ts'
import { type PostgresExporterOptions, type ResolvedOptions, resolveOptions } from '../options.ts'
import { dueSteps, maintain } from './maintenance.ts'
import { applyMigrations, BEGIN_MIGRATIONS, migrationSql, pendingMigrations } from './migrations.ts'

export interface MigrateMode {
  /** Change nothing and return the SQL that would be run. Default false. */
  readonly dryRun?: boolean
}

export interface MigrateReport {
  /** Migrations that were applied, or would be, such as `1 events`. */
  readonly migrations: readonly string[]
  /** With dryRun: what would be run, a script for psql. Else null. */
  readonly sql: string | null
}

/**
 * Brings the schema to the version of this package, makes the partitions that are due and drops what retention
 * lets go. Needs the role that owns the tables; running it again, or several at once, does no harm.
 * @param options those of the exporter, which are checked in the same way, and its logger
 */
export async function migrate(
  {
    logger,
    ...options
  }: (PostgresExporterOptions | Readonly<Record<string, unknown>>) & Partial<ExporterContext>,
  { dryRun = false }: MigrateMode = {},
): Promise<MigrateReport> {
  const resolved = resolveOptions(options, logger)
  const client = await connect(resolved)
  try {
    if (dryRun) return await plan(client, resolved)
    await refusePooler(client, resolved)
    const applied = await applyMigrations(client)
    await maintain(client, resolved, 'wait')
    return { migrations: applied.map(label), sql: null }
  } finally {
    await disconnect(client)
  }
}

async function plan(client: Client, options: ResolvedOptions): Promise<MigrateReport> {
  const pending = await pendingMigrations(client)
  const steps = await dueSteps(client, options)
  const migrations = pending.length > 0 ? `${BEGIN_MIGRATIONS}${migrationSql(pending)}COMMIT;\n` : ''
  const maintenance = steps.map(({ name, sql }) => `\n-- ${name}\nBEGIN;${sql}\nCOMMIT;\n`).join('')
  return { migrations: pending.map(label), sql: `SET timezone = 'UTC';\n${migrations}${maintenance}` }
}

function label({ version, name }: { version: number; name: string }): string {
  return `${version} ${name}`
}
