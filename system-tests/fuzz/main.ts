import { parseArgs } from 'node:util'
import { fuzzCost } from './cost.ts'
import { fuzz } from './fuzz.ts'
import { fuzzOverHttp } from './http.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    bodies: { type: 'string', default: '1000000' },
    /** To a receiver in a process of its own, instead of straight to the decoders. */
    http: { type: 'boolean', default: false },
    /** Searches bodies that cost most, of some hundreds; Linux only. */
    cost: { type: 'boolean', default: false },
    /** For --cost: protobuf, json or both, with a comma. */
    formats: { type: 'string', default: 'protobuf' },
  },
})

console.log(
  `npm run fuzz -- --seed ${values.seed} --bodies ${values.bodies}${values.http ? ' --http' : ''}${values.cost ? ` --cost --formats ${values.formats}` : ''}`,
)
const startedAt = performance.now()
const options = {
  seed: Number(values.seed),
  bodies: Number(values.bodies),
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
  if (!values.cost) return fuzz(options)
  const formats = values.formats.split(',').filter((format) => format === 'protobuf' || format === 'json')
  const { worst, ...result } = await fuzzCost(options, formats)
  for (const line of worst) console.log(line)
  return result
}
