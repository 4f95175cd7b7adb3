import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { execute, startPostgres } from '@agentic-hooks/testing/postgres'
import { killAgents } from './kill-agents.ts'
import { emitThroughOutage } from './outage.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '500' },
  },
})

const report = (line: string) => console.log(line)
const directory = mkdtempSync(join(tmpdir(), 'client-chaos-'))
const postgres = await startPostgres()

/** Whether every event was found once. */
async function runKills(databaseUrl: string): Promise<boolean> {
  report(`npm run chaos:agents -- kills --kills ${values.kills} --seed ${values.seed}`)
  const { missing, duplicated, ...counts } = await killAgents({
    kills: Number(values.kills),
    seed: Number(values.seed),
    databaseUrl,
    directory,
    report,
  })
  console.table({ ...counts, missing: missing.length, duplicated: duplicated.length })
  for (const id of missing) console.error(`missing: ${id}`)
  for (const id of duplicated) console.error(`stored more than once: ${id}`)
  return missing.length + duplicated.length === 0
}

async function runOutage(databaseUrl: string): Promise<boolean> {
  report(`npm run chaos:agents -- outage --seconds ${values.seconds} --rate ${values.rate}`)
  const stats = await emitThroughOutage({
    outageMillis: Number(values.seconds) * 1000,
    eventsPerSecond: Number(values.rate),
    env: { STORAGE_TYPE: 'postgres', DATABASE_URL: databaseUrl },
    cwd: directory,
    client: { spool: join(directory, 'spool') },
    report,
  })
  const [stored] = await execute(
    databaseUrl,
    'SELECT count(*)::int AS rows, count(DISTINCT event_id)::int AS ids FROM hook_events',
  )
  console.table({ ...stats, droppedByReason: JSON.stringify(stats.droppedByReason), ...stored })
  return stored?.rows === stats.emitted && stored?.ids === stats.emitted
}

const RUNS = new Map([
  ['kills', runKills],
  ['outage', runOutage],
])

try {
  for (const name of positionals.length ? positionals : RUNS.keys()) {
    const run = RUNS.get(name)
    if (!run) throw new Error(`there is no run ${name}; there are ${[...RUNS.keys()].join(' and ')}`)
    if (!(await run(await postgres.createDatabase()))) process.exitCode = 1
    rmSync(join(directory, 'spool'), { recursive: true, force: true })
  }
} finally {
  await postgres.stop()
  rmSync(directory, { recursive: true })
}
