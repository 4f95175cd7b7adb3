import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTimestamp, MAX_TIMESTAMP_MICROS, nowMicros, parseTimestamp } from '../src/index.ts'

const anyMicros = fc.oneof(
  fc.maxSafeNat(),
  fc.integer({ min: 1_700_000_000, max: 1_900_000_000 }).map((seconds) => seconds * 1_000_000),
  fc.constantFrom(0, 1, 999_999, 1_000_000, 86_399_999_999, MAX_TIMESTAMP_MICROS),
)

/** The text of an instant, made by Date for the milliseconds and by BigInt for the rest. */
function isoText(micros: number): string {
  const millis = Number(BigInt(micros) / 1000n)
  const rest = String(BigInt(micros) % 1000n).padStart(3, '0')
  return new Date(millis).toISOString().replace('Z', `${rest}+00:00`)
}

describe('formatTimestamp', () => {
  it('agrees with Date to the microsecond', () => {
    fc.assert(
      fc.property(anyMicros, (micros) => {
        expect(formatTimestamp(micros)).toBe(isoText(micros))
      }),
    )
  })

  it('is not confused by the second it formatted before', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000_000)), (list) => {
        expect(list.map(formatTimestamp)).toEqual(list.map(isoText))
      }),
    )
  })
})

describe('parseTimestamp', () => {
  it('reads back what formatTimestamp wrote', () => {
    fc.assert(
      fc.property(anyMicros, (micros) => {
        expect(parseTimestamp(formatTimestamp(micros))).toBe(micros)
      }),
    )
  })

  it('agrees with Date.parse on offsets', () => {
    const offset = fc.tuple(fc.constantFrom('+', '-'), fc.nat(23), fc.nat(59))
    const twoDigits = (number: number) => String(number).padStart(2, '0')
    fc.assert(
      fc.property(anyMicros, offset, (micros, [sign, hours, minutes]) => {
        const millis = Math.floor(micros / 1000)
        const local = new Date(millis).toISOString().slice(0, -1)
        const text = `${local}${sign}${twoDigits(hours)}:${twoDigits(minutes)}`
        expect(parseTimestamp(text)).toBe(Date.parse(text) * 1000)
      }),
    )
  })

  it.each([
    ['2026-11-22T15:36:00.123456+00:00', 123_456],
    ['2026-11-22T15:36:00.123456Z', 123_456],
    ['2026-11-22t15:36:00.123456z', 123_456],
    ['2026-11-22 15:36:00.123456', 123_456],
    ['2026-11-22 15:36:00,123456 +0000', 123_456],
    ['2026-11-22T15:36:00.1', 100_000],
    ['2026-11-22T15:36:00.123456789Z', 123_456],
    ['2026-11-22T15:36:00Z', 0],
    ['2026-11-22T15:36Z', 0],
    ['2026-11-22T17:06:00+0130', 0],
    ['2026-11-22T13:36:00-02', 0],
  ])('reads %s', (text, micros) => {
    expect(parseTimestamp(text)).toBe(Date.UTC(2026, 10, 22, 15, 36) * 1000 + micros)
  })

  it.each([
    '',
    'now',
    '1795361760',
    '2026-11-22',
    '0099-01-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-11-22T24:00:00Z',
    '2026-11-22T15:60:00Z',
    '2026-11-22T15:36:00.Z',
    '2026-11-22T15:36:00+24:00',
    '2026-11-22T15:36:00+01:60',
    '2026-11-22T15:36:00.1234567890Z',
    ' 2026-11-22T15:36:00Z',
    '2026-11-22T15:36:00Z\n2026',
  ])('refuses %j', (text) => {
    expect(parseTimestamp(text)).toBeNull()
  })

  it('gives times before 1970 as negative ones', () => {
    expect(parseTimestamp('1969-12-31T23:59:59.999999Z')).toBe(-1)
  })
})

describe('nowMicros', () => {
  it('is an integer that Date agrees with', () => {
    const before = Date.now()
    const micros = nowMicros()
    expect(Number.isSafeInteger(micros)).toBe(true)
    expect(micros).toBeGreaterThanOrEqual(before * 1000)
    expect(micros).toBeLessThanOrEqual(Date.now() * 1000)
  })
})
