import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandLine, integer, parse } from '@agentic-hooks/testing/command-line'
import { execute, startPostgres } from '@agentic-hooks/testing/postgres'
import { killAgents } from './kill-agents.ts'
import { emitThroughOutage } from './outage.ts'

const HELP = `npm run chaos:agents -- [kills] [outage] [--kills N] [--seed N] [--seconds N] [--rate N]

Kills agents amid their work, and takes the receiver away from one that goes on; both without a name.

  --kills N      agents that are killed; default 100
  --seed N       repeats a run; default: another one each time
  --seconds N    how long the outage takes; default 60
  --rate N       events per second during the outage; default 500
`

const { values, positionals } = commandLine(
  HELP,
  {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '500' },
  },
  { allowPositionals: true },
)
const [kills, seed, seconds, rate] = [
  integer('kills', values.kills, 1),
  integer('seed', values.seed),
  integer('seconds', values.seconds, 1),
  integer('rate', values.rate, 1),
]
parse(() => {
  const unknown = positionals.find((name) => !['kills', 'outage'].includes(name))
  if (unknown !== undefined)
    throw new Error(`there is no run ${JSON.stringify(unknown)}; there are kills and outage`)
})

const report = (line: string) => console.log(line)
const directory = mkdtempSync(join(tmpdir(), 'client-chaos-'))
const postgres = await startPostgres()

/** Whether every event was found once. */
async function runKills(databaseUrl: string): Promise<boolean> {
  report(`npm run chaos:agents -- kills --kills ${values.kills} --seed ${values.seed}`)
  const { missing, duplicated, ...counts } = await killAgents({
    kills,
    seed,
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
    outageMillis: seconds * 1000,
    eventsPerSecond: rate,
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

const RUNS = { kills: runKills, outage: runOutage }

try {
  for (const [name, run] of Object.entries(RUNS)) {
    if (positionals.length && !positionals.includes(name)) continue
    if (!(await run(await postgres.createDatabase()))) process.exitCode = 1
    rmSync(join(directory, 'spool'), { recursive: true, force: true })
  }
} finally {
  await postgres.stop()
  rmSync(directory, { recursive: true })
}
