import { describe, expect, it } from 'vitest'
import { runChaos } from '../../test/chaos/run.ts'
import { MISSING } from '../peers.ts'

describe.skipIf(MISSING.haproxy)('agents -> HAProxy -> three receivers -> PostgreSQL', () => {
  it('loses nothing and stores nothing twice while processes are killed, and sends nothing to the dead', async () => {
    const result = await runChaos({
      seed: 7,
      durationMillis: 30_000,
      faults: 15,
      agents: 10,
      balanced: true,
      report: () => {},
    })
    expect(result).toMatchObject({ lost: [], duplicated: [], unknown: [] })
    expect(result.stored).toBe(result.acknowledged)
    expect(result.stored).toBeGreaterThan(1_000)
    expect(result.kills).toBeGreaterThan(0)
    expect(Object.keys(result.takenOut)).not.toEqual([])
  })
})
