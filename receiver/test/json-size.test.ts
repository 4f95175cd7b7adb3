import { expect, it } from 'vitest'
import { checkJsonValues, TooManyValuesError } from '../src/ingest/json-size.ts'

const MIB = 2 ** 20

it.each([',', '[', '{'])('counts every %s of a large body, wherever it stands', (character) => {
  for (const offset of [0, 1, 2, 3, MIB - 1, MIB, MIB + 1, MIB + 2]) {
    const body = Buffer.alloc(MIB + 3, 'x')
    body.write(character, offset)
    expect(() => checkJsonValues(body, 1)).not.toThrow()
    expect(() => checkJsonValues(body, 0)).toThrow(TooManyValuesError)
  }
})

it('counts nothing else', () => {
  const others = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => !',[{'.includes(String.fromCharCode(byte)),
  )
  const body = Buffer.alloc(2 * MIB, Buffer.from(others))
  expect(() => checkJsonValues(body, 0)).not.toThrow()
})

it('takes a body as it lies in a larger buffer', () => {
  const body = Buffer.alloc(MIB + 64, '[').subarray(1, -1)
  expect(() => checkJsonValues(body, body.byteLength)).not.toThrow()
  expect(() => checkJsonValues(body, body.byteLength - 1)).toThrow(TooManyValuesError)
})
