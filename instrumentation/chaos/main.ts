import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres } from '../../test/postgres.ts'
import { killAgents } from './kill-agents.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})

console.log(`npm run chaos:agents -- --kills ${values.kills} --seed ${values.seed}`)
const directory = mkdtempSync(join(tmpdir(), 'client-chaos-'))
const postgres = await startPostgres()
try {
  const { missing, duplicated, ...counts } = await killAgents({
    kills: Number(values.kills),
    seed: Number(values.seed),
    databaseUrl: await postgres.createDatabase(),
    directory,
    report: (line) => console.log(line),
  })
  console.table({ ...counts, missing: missing.length, duplicated: duplicated.length })
  for (const id of missing) console.error(`missing: ${id}`)
  for (const id of duplicated) console.error(`stored more than once: ${id}`)
  process.exitCode = missing.length + duplicated.length > 0 ? 1 : 0
} finally {
  await postgres.stop()
  rmSync(directory, { recursive: true })
}
