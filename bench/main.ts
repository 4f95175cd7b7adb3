import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandLine, parse } from '@agentic-hooks/testing/command-line'
import { type Bench, formatTable, machine, watchMachine } from './harness.ts'
import { parseCount, parseMillis } from './load/flags.ts'
import { drawPlots } from './plots.ts'
import { describePostgres } from './storage.ts'

/** In the order in which `npm run bench` answers them. */
const NAMES = [
  'emit',
  'startup',
  'preload',
  'subprocess',
  'decode',
  'postgres',
  'jsonl',
  'ingest',
  'latency',
  'swarm',
  'scaling',
  'peers',
  'soak',
  'flame',
] as const

const HELP = `npm run bench -- [NAME...] [--duration TIME] [--runs N] [--results FOLDER]

Names: ${NAMES.join(', ')}.
Without a name it runs them all but flame, in about a quarter of an hour, the soak shortened to half a minute.
Tables go to the terminal, everything measured and its plots to FOLDER, bench/results by default.
`

/** The soak takes an hour unless it is asked for by name, or told otherwise. */
const SHORT_SOAK_MILLIS = 30_000

async function main(): Promise<void> {
  const { values, positionals } = commandLine(
    HELP,
    {
      duration: { type: 'string' },
      runs: { type: 'string' },
      results: { type: 'string', default: join(import.meta.dirname, 'results') },
    },
    { allowPositionals: true },
  )
  const options = parse(() => {
    const unknown = positionals.find((name) => !NAMES.some((known) => known === name))
    if (unknown !== undefined) throw new Error(`there is no bench ${JSON.stringify(unknown)}`)
    return {
      ...(values.duration && { durationMillis: parseMillis('duration', values.duration) }),
      ...(values.runs && { runs: parseCount('runs', values.runs) }),
    }
  })
  const about = { ...machine(), ...(await describePostgres()) }
  console.log(
    `${Object.entries(about)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}\n`,
  )
  mkdirSync(values.results, { recursive: true })
  for (const name of positionals.length ? positionals : NAMES.filter((known) => known !== 'flame')) {
    const short = !positionals.length && name === 'soak' ? { durationMillis: SHORT_SOAK_MILLIS } : {}
    const result = await answer(name, { ...short, ...options }).catch((error: Error) => {
      console.error(`${error.stack}\n`)
      process.exitCode = 1
    })
    if (!result) continue
    const path = join(values.results, `${name}.json`)
    writeFileSync(path, `${JSON.stringify({ ...result, about })}\n`)
    for (const plot of drawPlots(name, result.rows, values.results)) console.log(plot)
    console.log(`${path}\n`)
  }
}

async function answer(name: string, options: object) {
  const { question, run } = (await import(`./${name}.ts`)) as Bench
  console.log(`${name}: ${question}`)
  const watch = await watchMachine()
  const rows = await run(options)
  const warnings = watch()
  console.log(formatTable(rows))
  for (const warning of warnings) console.log(`Do not trust this: ${warning}.`)
  return { question, warnings, rows }
}

await main()
