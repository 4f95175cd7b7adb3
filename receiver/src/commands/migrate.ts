import { ConfigError } from '../config.ts'
import type { Command } from './command.ts'

export const migrate: Command = {
  name: 'migrate',
  usage: '[--dry-run]',
  summary: 'create or update the PostgreSQL tables (serve does it too)',
  flags: { 'dry-run': { type: 'boolean' } },
  async run({ config, flags, log }) {
    if (!config.databaseUrl) throw new ConfigError('migrate needs DATABASE_URL')
    const { migrate } = await import('@agentic-hooks/exporter-postgres')
    await migrate({ databaseUrl: config.databaseUrl, dryRun: flags['dry-run'] === true, log })
  },
}
