import { ConfigError } from '../config/options.ts'
import { unlessAborted } from '../ingest/timeout.ts'
import { postgresOptions } from '../storage/load.ts'
import type { Command } from './command.ts'

export const migrate: Command = {
  name: 'migrate',
  usage: '[--dry-run]',
  summary: 'bring the PostgreSQL tables up to date, as serve does; --dry-run prints the SQL',
  flags: { 'dry-run': { type: 'boolean' } },
  async run({ config, flags, log, stopSignal }) {
    const options = postgresOptions(config)
    if (!options.databaseUrl) throw new ConfigError('migrate needs DATABASE_URL')
    const dryRun = flags['dry-run'] === true
    const postgres = await import('@agentic-hooks/exporter-postgres') // Not needed, nor loaded, by the rest.
    const { migrations, sql } = await unlessAborted(
      postgres.migrate({ ...options, logger: log }, { dryRun }),
      stopSignal,
    )
    if (sql === null) log.info({ migrations }, 'migrated')
    else process.stdout.write(sql)
  },
}
