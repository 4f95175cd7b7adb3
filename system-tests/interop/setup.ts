import { execute, startPostgres } from '@agentic-hooks/testing/postgres'
import { MISSING, versionOf } from './peers.ts'

/** Builds the Collector before the first test, and prints what is tested against and what is not. */
export async function setup(): Promise<void> {
  console.log('Tested against (the Collector is built first, unless it is there already):')
  for (const [peer, reason] of Object.entries(MISSING) as [keyof typeof MISSING, string | null][]) {
    console.log(reason ? `  SKIPPED ${peer}: ${reason}` : `  ${await versionOf(peer)}`)
  }
  const postgres = await startPostgres()
  const [row] = await execute(postgres.url, 'SHOW server_version')
  await postgres.stop()
  console.log(`  PostgreSQL ${row?.server_version} (${postgres.source})`)
  console.log(`  Node ${process.version}`)
}
