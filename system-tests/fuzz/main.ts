import { commandLine, integer } from '@agentic-hooks/testing/command-line'
import { fuzzCost } from './cost.ts'
import { fuzz } from './fuzz.ts'
import { fuzzOverHttp } from './http.ts'
import { fuzzJson } from './json.ts'

const HELP = `npm run fuzz -- [--seed N] [--bodies N] [--http | --json | --cost [--formats LIST]]

Gives damaged bodies to the decoders, and compares what they make of them with an independent decoder.

  --seed N      repeats the bodies of a run; default: others each time
  --bodies N    default 1000000
  --http        to a receiver in a process of its own, instead of straight to the decoders
  --json        JSON documents, read by REST and hooks, against parsers of JavaScript objects
  --cost        searches, among some hundreds, the bodies that cost a receiver most; Linux only
  --formats F   for --cost: protobuf (the default), json or both with a comma
`

const { values } = commandLine(HELP, {
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  bodies: { type: 'string', default: '1000000' },
  http: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  cost: { type: 'boolean', default: false },
  formats: { type: 'string', default: 'protobuf' },
})
const [seed, bodies] = [integer('seed', values.seed), integer('bodies', values.bodies, 1)]

console.log(
  `npm run fuzz -- --seed ${values.seed} --bodies ${values.bodies}${values.http ? ' --http' : ''}${values.json ? ' --json' : ''}${values.cost ? ` --cost --formats ${values.formats}` : ''}`,
)
const startedAt = performance.now()
const options = {
  seed,
  bodies,
  report: (line: string) => console.log(line),
}
const { failures, ...counts } = await run()
const seconds = Math.round((performance.now() - startedAt) / 1000)
for (const [name, value] of Object.entries({ ...counts, failures: failures.length, seconds }))
  console.log(`${name}: ${JSON.stringify(value)}`)
for (const failure of failures.slice(0, 20)) console.error(failure)
process.exitCode = failures.length ? 1 : 0

async function run() {
  if (values.http) return fuzzOverHttp(options)
  if (values.json) return fuzzJson(options)
  if (!values.cost) return fuzz(options)
  const formats = values.formats.split(',').filter((format) => format === 'protobuf' || format === 'json')
  const { worst, ...result } = await fuzzCost(options, formats)
  for (const line of worst) console.log(line)
  return result
}
