import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { isUuid, toUuid, uuidFromRequest, uuidFromText, uuidv7, uuidv7Millis } from '../src/index.ts'

describe('uuidv7', () => {
  it('has the version and variant of RFC 9562 and the current millisecond', () => {
    const before = Date.now()
    const uuid = uuidv7()
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(uuidv7Millis(uuid)).toBeGreaterThanOrEqual(before)
    expect(uuidv7Millis(uuid)).toBeLessThanOrEqual(Date.now())
  })

  it('sorts after every earlier one, also within a millisecond and when the clock goes back', () => {
    const now = Date.now() + 1_000_000
    let last = uuidv7(now)
    for (let index = 0; index < 100_000; index++) {
      const next = uuidv7(now - (index % 1000))
      expect(next > last).toBe(true)
      last = next
    }
    expect(uuidv7Millis(last)).toBe(now)
    expect(uuidv7Millis(uuidv7(now + 1))).toBe(now + 1)
  })

  it('holds any millisecond of 48 bits', async () => {
    // A module of its own, because ids never go back in time within one.
    vi.resetModules()
    const { uuidv7 } = await import('../src/codec/uuid.ts')
    for (const millis of [1, 0xffff, 0x10000, 0xffff_ffff, 0x1_0000_0000, 2 ** 48 - 1]) {
      expect(uuidv7Millis(uuidv7(millis))).toBe(millis)
    }
  })
})

describe('uuidv7Millis', () => {
  it('is null for what is no UUIDv7', () => {
    for (const text of ['', 'x', crypto.randomUUID(), `${uuidv7()}0`]) expect(uuidv7Millis(text)).toBeNull()
  })
})

describe('toUuid', () => {
  it('keeps a UUID of any version, in lower case', () => {
    const id = 'ABCDEF01-2345-6789-ABCD-EF0123456789'
    expect(toUuid(id)).toEqual({ eventId: id.toLowerCase(), original: null })
  })

  it('derives a UUIDv5 from any other id and remembers the original', () => {
    const { eventId, original } = toUuid('toolu_01')
    expect(original).toBe('toolu_01')
    expect(toUuid('toolu_01').eventId).toBe(eventId)
    expect(toUuid('toolu_02').eventId).not.toBe(eventId)
  })

  it('makes a UUIDv7 where there is no id', () => {
    for (const id of ['', null, undefined]) {
      const { eventId, original } = toUuid(id)
      expect(uuidv7Millis(eventId)).not.toBeNull()
      expect(original).toBeNull()
    }
  })
})

describe('uuidFromText', () => {
  it('is the UUIDv5 of RFC 9562 in the namespace of the project', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const namespace = Buffer.from('6f1d3a0c2b7e4c58a94d0e5b83f2c761', 'hex')
        const sha1 = createHash('sha1')
          .update(Buffer.concat([namespace, Buffer.from(text)]))
          .digest()
        const hash = BigInt(`0x${sha1.toString('hex')}`) >> 32n
        const fixed = (hash & ~(0xfn << 76n) & ~(0x3n << 62n)) | (5n << 76n) | (2n << 62n)
        expect(uuidFromText(text).replaceAll('-', '')).toBe(fixed.toString(16).padStart(32, '0'))
        expect(isUuid(uuidFromText(text))).toBe(true)
      }),
    )
  })
})

describe('uuidFromRequest', () => {
  const hash = createHash('sha256').update('a request').digest()

  it('is a UUIDv8 that is the same for the same request and index', () => {
    expect(uuidFromRequest(hash, 7)).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
    expect(uuidFromRequest(hash, 7)).toBe(uuidFromRequest(hash, 7))
  })

  it('differs for each of 50,000 records, also where the index carries over', () => {
    const high = Buffer.from(hash)
    high.writeUInt32BE(0xffff_ff00, 12)
    expect(new Set(Array.from({ length: 50_000 }, (_, index) => uuidFromRequest(high, index))).size).toBe(
      50_000,
    )
  })

  it('leaves the hash as it was', () => {
    const before = Buffer.from(hash)
    uuidFromRequest(hash, 1)
    expect(hash).toEqual(before)
  })
})
