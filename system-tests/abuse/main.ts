import { parseArgs } from 'node:util'
import { abuse, startVictim } from './abuse.ts'
import { ATTACKS, type Scale } from './attacks.ts'

/*
 * Tries everything in attacks.ts at full size against a receiver with its default limits, and prints how the
 * attackers were answered, what a well-behaved client noticed, and how much memory it took.
 * npm run abuse -w receiver [-- --connections 10000] [--only NAME]
 */

const MIB = 2 ** 20

const { values } = parseArgs({
  options: { connections: { type: 'string', default: '10000' }, only: { type: 'string' } },
})
const scale: Scale = {
  slowConnections: Number(values.connections),
  dripMillis: 1_000,
  heavyConnections: 10,
  bombBytes: 1024 * MIB,
  bodyBytes: 64 * MIB,
  records: 100_000,
}

await using receiver = await startVictim({})
console.log('attack | statuses | bystander requests | failures | p50 ms | p99 ms | max ms | peak RSS MiB')
for (const attack of Object.keys(ATTACKS)) {
  if (values.only && values.only !== attack) continue
  const { statuses, bystander, peakMemoryBytes } = await abuse(receiver, attack, scale)
  const { requests, failures, p50Millis, p99Millis, maxMillis } = bystander
  const figures = [p50Millis, p99Millis, maxMillis, peakMemoryBytes / MIB].map((figure) => figure.toFixed(1))
  console.log([attack, JSON.stringify(statuses), requests, failures, ...figures].join(' | '))
}
