import type { RunningReceiver } from '@agentic-hooks/testing/receiver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { abuse, startVictim } from './abuse.ts'
import { ATTACKS, type Scale, type Statuses } from './attacks.ts'

const MIB = 2 ** 20

/** npm run abuse has the full size. */
const SCALE: Scale = {
  slowConnections: 200,
  dripMillis: 200,
  heavyConnections: 4,
  bombBytes: 64 * MIB,
  bodyBytes: 8 * MIB,
  records: 100_000,
}

const LIMITS = { MAX_BODY_BYTES: '32MiB', MAX_BYTES_IN_FLIGHT: '64MiB' }

/** Only where clients are slow: a receiver that is busy for a second must not take others for it. */
const TIMEOUTS = { HEADERS_TIMEOUT_MILLIS: '1000', REQUEST_TIMEOUT_MILLIS: '2000' }

/** What may be in flight, many times over as objects of a parsed body; without the limits it would be gigabytes. */
const MAX_MEMORY_BYTES = 1024 * MIB

/** The only statuses that the attackers may get. */
const ALLOWED: Readonly<Record<string, readonly number[]>> = {
  'gzip bombs': [413],
  'zstd bombs': [413],
  'gzip in gzip, declared': [415],
  'gzip in gzip, not declared': [400],
  'endless chunked bodies': [413, 503],
  'bodies above the limit': [413],
  'bodies at the limit': [200, 503],
  'bodies of brackets': [413],
  'bodies of empty objects': [413],
  'batches of very many records': [200, 503],
  'headers that never end': [408, 0],
  'bodies that never end': [408, 0],
}

describe.each([
  ['by much', LIMITS, Object.keys(ATTACKS).filter((attack) => !attack.endsWith('never end'))],
  [
    'by slowness',
    { ...LIMITS, ...TIMEOUTS },
    Object.keys(ATTACKS).filter((attack) => attack.endsWith('never end')),
  ],
])('a receiver under attack %s', (_, env, attacks) => {
  let receiver: RunningReceiver

  beforeAll(async () => {
    receiver = await startVictim(env)
  })

  afterAll(() => receiver.stop())

  it.each(attacks)('serves others and keeps its memory bounded: %s', async (attack) => {
    const { statuses, bystander, peakMemoryBytes } = await abuse(receiver, attack, SCALE)
    expect(ALLOWED[attack]).toEqual(expect.arrayContaining(statusesOf(statuses)))
    expect(bystander.failures).toBe(0)
    expect(bystander.requests).toBeGreaterThan(0)
    expect(peakMemoryBytes).toBeLessThan(MAX_MEMORY_BYTES)
  })
})

function statusesOf(statuses: Statuses): number[] {
  return Object.keys(statuses).map(Number)
}
