import { commandLine, integer, parse } from '@agentic-hooks/testing/command-line'
import { missing } from '@agentic-hooks/testing/tools'
import { runChaos } from './run.ts'
import { summary } from './summary.ts'

/** `npm run chaos`: documented in docs/evidence/chaos.md. */
const HELP = `npm run chaos -- [--seed N] [--seconds N] [--agents N] [--rate N] [--balancer none|haproxy]

Kills, stops and cuts off processes of a whole deployment while agents send, then looks for every acknowledged event.

  --seed N       repeats the faults of a run; default: another one each time
  --seconds N    how long there are faults; default 60
  --agents N     default 20
  --rate N       events per second of all agents; default 2000
  --balancer B   none, or haproxy in front of several receivers; default none
`

const { values } = commandLine(HELP, {
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  seconds: { type: 'string', default: '60' },
  agents: { type: 'string', default: '20' },
  rate: { type: 'string', default: '2000' },
  balancer: { type: 'string', default: 'none' },
})
parse(() => {
  if (['none', 'haproxy'].includes(values.balancer)) return
  throw new Error(`--balancer is ${JSON.stringify(values.balancer)}; it must be none or haproxy`)
})
const [seed, seconds, agents, rate] = [
  integer('seed', values.seed),
  integer('seconds', values.seconds, 1),
  integer('agents', values.agents, 1),
  integer('rate', values.rate, 1),
]
const balanced = values.balancer === 'haproxy'
const reason = balanced ? await missing('haproxy', 'haproxy', { install: true }) : null
if (reason) throw new Error(reason)

const command = `npm run chaos -- ${Object.entries(values)
  .map(([name, value]) => `--${name} ${value}`)
  .join(' ')}`
console.log(command)
const result = await runChaos({
  seed,
  durationMillis: seconds * 1000,
  agents,
  eventsPerSecond: rate,
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
