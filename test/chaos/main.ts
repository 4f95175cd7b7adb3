import { parseArgs } from 'node:util'
import { runChaos } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '60' },
    agents: { type: 'string', default: '20' },
    rate: { type: 'string', default: '2000' },
  },
})

console.log(
  `npm run chaos -- --seed ${values.seed} --seconds ${values.seconds} --agents ${values.agents} --rate ${values.rate}`,
)
const result = await runChaos({
  seed: Number(values.seed),
  durationMillis: Number(values.seconds) * 1000,
  agents: Number(values.agents),
  eventsPerSecond: Number(values.rate),
  report: (line) => console.log(line),
})

const { lost, duplicated, unknown, recoveryMillis, attempts, ...counts } = result
const sorted = recoveryMillis.toSorted((a, b) => a - b)
console.table({
  ...counts,
  faults: sorted.length,
  lost: lost.length,
  duplicated: duplicated.length,
  unknown: unknown.length,
  'recovery median, ms': sorted[sorted.length >> 1] ?? 0,
  'recovery longest, ms': sorted.at(-1) ?? 0,
})
console.log('attempts by outcome:', attempts)
for (const [problem, ids] of Object.entries({ lost, duplicated, unknown })) {
  if (ids.length) console.error(`${problem}: ${ids.slice(0, 10).join(' ')}`)
}
process.exitCode = lost.length + duplicated.length + unknown.length > 0 ? 1 : 0
