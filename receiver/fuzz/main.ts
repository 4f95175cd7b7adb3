import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    bodies: { type: 'string', default: '1000000' },
  },
})

console.log(`npm run fuzz -- --seed ${values.seed} --bodies ${values.bodies}`)
const startedAt = performance.now()
const { failures, ...counts } = fuzz({
  seed: Number(values.seed),
  bodies: Number(values.bodies),
  report: (line) => console.log(line),
})
const seconds = (performance.now() - startedAt) / 1000
console.table({ ...counts, failures: failures.length, seconds: Math.round(seconds) })
for (const failure of failures.slice(0, 20)) console.error(failure)
process.exitCode = failures.length ? 1 : 0
