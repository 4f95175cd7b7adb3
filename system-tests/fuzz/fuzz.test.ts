import { expect, it } from 'vitest'
import { fuzz } from './fuzz.ts'
import { fuzzOverHttp } from './http.ts'

it('decodes or refuses damaged bodies, and reads what is left as the independent decoder does', () => {
  const { decoded, refused, compared, failures } = fuzz({ seed: 1, bodies: 5_000 })
  expect(failures).toEqual([])
  expect(decoded + refused).toBeGreaterThan(5_000) // The corpus comes first.
  expect(Math.min(decoded, refused, compared)).toBeGreaterThan(0)
})

it('answers damaged bodies on every route with 2xx or 4xx', async () => {
  const { byStatus, failures } = await fuzzOverHttp({ seed: 1, bodies: 2_000 })
  expect(failures).toEqual([])
  expect(Object.keys(byStatus)).toEqual(expect.arrayContaining(['200', '202', '400', '422']))
})
