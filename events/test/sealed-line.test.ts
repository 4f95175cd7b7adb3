import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkSeal, decodeLine, encodeLines, partLine, sealLine } from '../src/index.ts'
import { sampleRecord } from '../src/testing/index.ts'

const sealed = (data: object) =>
  sealLine(encodeLines([sampleRecord({ data: Buffer.from(JSON.stringify(data)) })])).subarray(0, -1)

describe('a sealed line', () => {
  it('is the same event', () => {
    const record = sampleRecord()
    const line = encodeLines([record])
    expect(decodeLine(sealLine(line).toString())).toEqual(decodeLine(line.toString()))
  })

  it('tells of every flipped bit', () => {
    const line = sealed({ text: 'é' })
    expect(checkSeal(line)).toBe('intact')
    for (let bit = 0; bit < line.byteLength * 8; bit++) {
      const damaged = Buffer.from(line)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(checkSeal(damaged), `bit ${bit}`).toBe('damaged')
    }
  })

  it('is told from one that has no seal, whatever its data', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
        const record = sampleRecord({ data: Buffer.from(JSON.stringify(data)) })
        expect(checkSeal(encodeLines([record]).subarray(0, -1))).toBe('unsealed')
      }),
    )
  })
})

describe('lines between which the line break is damaged', () => {
  it('are parted, up to one that has no seal', () => {
    const lines = [sealed({ n: 1 }), sealed({ n: 2 }), Buffer.from('{"half":')]
    const merged = Buffer.concat(lines.flatMap((line, index) => (index ? [Buffer.from('*'), line] : [line])))
    expect(partLine(merged)).toEqual([lines[0]!.byteLength + 1, lines[1]!.byteLength + 1, 8])
  })

  it('are not parted by what a sender wrote into an event', () => {
    const line = sealed({ a: 1, line_crc32: '00000000', b: { line_crc32: 'ffffffff' } })
    expect(checkSeal(line)).toBe('intact')
    expect(partLine(line)).toEqual([line.byteLength])
  })

  it('are parted in time linear in their bytes', () => {
    const hostile = Buffer.from(`{"a":1${',"line_crc32":"00000000"}'.repeat(400_000)}`)
    const startedAt = performance.now()
    expect(partLine(hostile)).toEqual([hostile.byteLength])
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })
})
