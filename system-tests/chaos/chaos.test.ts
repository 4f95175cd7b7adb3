import { expect, it } from 'vitest'
import { runChaos } from './run.ts'

it('loses no acknowledged event and stores none twice while processes are killed', {
  timeout: 240_000,
}, async () => {
  const result = await runChaos({
    seed: 20_261_122,
    durationMillis: 20_000,
    faults: 12,
    agents: 10,
    report: () => {},
  })
  expect(result).toMatchObject({ lost: [], duplicated: [], unknown: [], storedUnanswered: 0 })
  expect(result.stored).toBe(result.acknowledged)
  expect(result.stored).toBeGreaterThan(1_000)
  expect(result.kills).toBeGreaterThan(0)
})
