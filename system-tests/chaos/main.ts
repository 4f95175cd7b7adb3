import { parseArgs } from 'node:util'
import { missing } from '@agentic-hooks/testing/tools'
import { runChaos } from './run.ts'
import { summary } from './summary.ts'

/** `npm run chaos`: documented in docs/evidence/chaos.md. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '60' },
    agents: { type: 'string', default: '20' },
    rate: { type: 'string', default: '2000' },
    balancer: { type: 'string', default: 'none' },
  },
})
if (!['none', 'haproxy'].includes(values.balancer)) {
  throw new Error(`--balancer ${values.balancer}: it is none or haproxy`)
}
const balanced = values.balancer === 'haproxy'
const reason = balanced ? await missing('haproxy', 'haproxy', { install: true }) : null
if (reason) throw new Error(reason)

const command = `npm run chaos -- ${Object.entries(values)
  .map(([name, value]) => `--${name} ${value}`)
  .join(' ')}`
console.log(command)
const result = await runChaos({
  seed: Number(values.seed),
  durationMillis: Number(values.seconds) * 1000,
  agents: Number(values.agents),
  eventsPerSecond: Number(values.rate),
  balanced,
  report: (line) => console.log(line),
})

console.log(`\n${summary(command, result)}`)
const { lost, duplicated, unknown } = result
for (const [problem, ids] of Object.entries({ lost, duplicated, unknown })) {
  if (ids.length) console.error(`${problem}: ${ids.slice(0, 10).join(' ')}`)
}
// Everything has been stopped: no connection that was reset on the way may hold the end up.
process.exit(lost.length + duplicated.length + unknown.length > 0 ? 1 : 0)
