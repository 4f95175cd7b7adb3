import { expect, it } from 'vitest'
import { fuzz } from '../../fuzz/fuzz.ts'

it('decodes or refuses damaged bodies, and reads what is left as the independent decoder does', () => {
  const { decoded, refused, compared, failures } = fuzz({ seed: 1, bodies: 5_000 })
  expect(failures).toEqual([])
  expect(decoded + refused).toBeGreaterThan(5_000) // The corpus comes first.
  expect(Math.min(decoded, refused, compared)).toBeGreaterThan(0)
})
