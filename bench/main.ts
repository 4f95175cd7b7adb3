import { parseArgs } from 'node:util'
import { type Bench, formatTable, machine, watchMachine, writeResult } from './harness.ts'
import { parseCount, parseMillis } from './load/flags.ts'

/** In the order in which `npm run bench` answers them. */
const NAMES = [
  'emit',
  'startup',
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
] as const

const HELP = `npm run bench -- [NAME...] [--duration TIME] [--runs N]

Names: ${NAMES.join(', ')}.
Without a name it runs them all, in less than a quarter of an hour, the soak shortened to a minute.
Tables go to the terminal, everything measured to bench/results/NAME.json.
`

/** The soak takes an hour unless it is asked for by name, or told otherwise. */
const SHORT_SOAK_MILLIS = 60_000

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      duration: { type: 'string' },
      runs: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const unknown = positionals.find((name) => !NAMES.some((known) => known === name))
  if (unknown) console.error(`There is no bench ${unknown}.\n`)
  if (unknown || values.help) {
    console.log(HELP)
    process.exitCode = unknown ? 2 : 0
    return
  }
  const options = {
    ...(values.duration && { durationMillis: parseMillis('duration', values.duration) }),
    ...(values.runs && { runs: parseCount('runs', values.runs) }),
  }
  const about = machine()
  console.log(`${Object.values(about).join(' · ')}\n`)
  for (const name of positionals.length ? positionals : NAMES) {
    const all = !positionals.length && name === 'soak' ? { durationMillis: SHORT_SOAK_MILLIS } : {}
    await answer(name, { ...all, ...options }, about)
  }
}

async function answer(name: string, options: object, about: object): Promise<void> {
  const { question, run } = (await import(`./${name}.ts`)) as Bench
  console.log(`${name}: ${question}`)
  const watch = watchMachine()
  const rows = await run(options)
  const warnings = watch()
  console.log(formatTable(rows))
  for (const warning of warnings) console.log(`Do not trust this: ${warning}.`)
  console.log(`${writeResult(name, { question, machine: about, warnings, rows })}\n`)
}

main().catch((error: Error) => {
  console.error(error)
  process.exitCode = 1
})
