import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  encodeJson,
  encodeJsonString,
  isJsonObject,
  MAX_JSON_DEPTH,
  parseJson,
  parsePlainJson,
  storableText,
  TOO_DEEP,
} from '../src/index.ts'

describe('storableText', () => {
  it('replaces NUL and each lone surrogate and nothing else', () => {
    expect(storableText('a\0b')).toBe('a\uFFFDb')
    expect(storableText('\uD800x\uDC00\uDC00')).toBe('\uFFFDx\uFFFD\uFFFD')
    expect(storableText('\uD83D\uD83D\uDC7E')).toBe('\uFFFD👾')
    expect(storableText('👾\u0001\u2028\uFFFF')).toBe('👾\u0001\u2028\uFFFF')
  })

  it('leaves nothing that UTF-8 would change', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(0xffff)), (text, units) => {
        const stored = storableText(text + String.fromCharCode(...units))
        expect(stored).not.toContain('\0')
        expect(Buffer.from(stored).toString()).toBe(stored)
      }),
    )
  })
})

describe('encodeJsonString', () => {
  it('is what JSON.stringify makes of storable text', () => {
    const ascii = Array.from({ length: 256 }, (_, unit) => String.fromCharCode(unit))
    for (const text of ['', ...ascii, ascii.join('')]) {
      expect(encodeJsonString(text)).toBe(JSON.stringify(storableText(text)))
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(encodeJsonString(text)).toBe(JSON.stringify(storableText(text)))
      }),
    )
  })
})

describe('encodeJson', () => {
  it('agrees with JSON.stringify on what JSON can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        expect(JSON.stringify(JSON.parse(encodeJson(value)))).toBe(JSON.stringify(value))
      }),
    )
  })

  it.each([
    ['NaN', NaN, '"NaN"'],
    ['Infinity', Infinity, '"Infinity"'],
    ['-Infinity', -Infinity, '"-Infinity"'],
    ['-0', -0, '0'],
    ['a BigInt', 2n ** 64n, '18446744073709551616'],
    ['bytes', Uint8Array.of(255, 0), '"/wA="'],
    ['a Date', new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ['an invalid Date', new Date(NaN), 'null'],
    ['undefined', undefined, 'null'],
    ['members without a value', { a: undefined, b: () => 1, c: Symbol('s'), d: 1 }, '{"d":1}'],
    ['items without a value', [undefined, () => 1, 1], '[null,null,1]'],
    ['NUL in a key', { 'a\0': '\0' }, '{"a\uFFFD":"\uFFFD"}'],
    ['the key __proto__', JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
  ])('writes %s', (_, value, json) => {
    expect(encodeJson(value)).toBe(json)
  })

  it('keeps 1,024 levels and names what lies deeper', () => {
    const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels))
    expect(encodeJson(nested(MAX_JSON_DEPTH))).toBe('['.repeat(MAX_JSON_DEPTH) + ']'.repeat(MAX_JSON_DEPTH))
    expect(encodeJson(nested(MAX_JSON_DEPTH + 1))).toContain(`["${TOO_DEEP}"]`)
    expect(encodeJson(nested(100_000)).length).toBe(2 * MAX_JSON_DEPTH + TOO_DEEP.length + 2)
  })
})

describe('parseJson', () => {
  it('keeps the digits of any integer, which encodeJson writes back', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), (any, near) => {
        const json = `{"a":${any},"b":[${near}, -${near < 0n ? -near : near}],"c":" ${any}"}`
        expect(encodeJson(parseJson(json))).toBe(json.replace(', -', ',-').replace(/-0\b/, '0'))
      }),
    )
  })

  it('reads any JSON as JSON.parse does, but for the digits', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme' }), (json) => {
        expect(JSON.stringify(JSON.parse(encodeJson(parseJson(json))))).toBe(JSON.stringify(JSON.parse(json)))
      }),
    )
  })

  it('reads every key as it was written, whatever keys it met before', () => {
    const key = fc.string({ unit: fc.constantFrom('k', '"', '\\', 'n', 'u0022', ':', '~'), maxLength: 4 })
    const object = fc.dictionary(key, fc.oneof(fc.integer(), fc.string()), { maxKeys: 4 })
    fc.assert(
      fc.property(fc.array(object), fc.integer({ max: 3, min: 0 }), (objects, indentation) => {
        for (const parse of [parseJson, parsePlainJson]) {
          const parsed = objects.map((object) =>
            parse(JSON.stringify({ first: 1, ...object }, null, indentation)),
          )
          expect(parsed.map((object) => Object.entries(object as object).slice(1))).toEqual(
            objects.map((object) => Object.entries(object)),
          )
        }
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['{"a\\u000a":1,"b":2,"a\\n":3}', '{"a\\n":3,"b":2}'],
    ['{"b":1,"\\u0031":2,"0":3}', '{"0":3,"1":2,"b":1}'],
    ['{"\\u005f_proto__":{"a\\"":1}}', '{"__proto__":{"a\\"":1}}'],
    [
      '[{"~0":1,"\\"" : {"\\"":[{"\\"":12345678901234567890}]}}]',
      '[{"~0":1,"\\"":{"\\"":[{"\\"":12345678901234567890}]}}]',
    ],
    ['"\\":"', '"\\":"'],
  ])('reads the escaped keys of %s', (json, encoded) => {
    expect(encodeJson(parseJson(json))).toBe(encoded)
  })

  it.each([
    '{"k\\\\"":1}',
    '{"a" \\n":1}',
    '{"a":\\1,"b":2}',
    '{"a\\x":1}',
    '{"a\\":1',
    '\\',
    '{"a\\u00":1}',
  ])('refuses %s', (text) => {
    expect(() => parsePlainJson(text)).toThrow(SyntaxError)
  })

  it.each([
    ['{"a":1e999}', '{"a":"Infinity"}'],
    ['{"a":-1e+999}', '{"a":"-Infinity"}'],
    ['[-1.5E0999,1e400]', '["-Infinity","Infinity"]'],
    ['1e400', '"Infinity"'],
    ['NaN', '"NaN"'],
    [
      '{"NaN" : NaN , "a\\n":[Infinity,-Infinity\n],"b":"\\" NaN,"}',
      '{"NaN":"NaN","a\\n":["Infinity","-Infinity"],"b":"\\" NaN,"}',
    ],
    ['{"a":1e20}', '{"a":100000000000000000000}'],
    ['{"a":1234567890123456.5}', '{"a":1234567890123456.5}'],
    ['{"a":9007199254740991,"b":9007199254740993}', '{"a":9007199254740991,"b":9007199254740993}'],
    ['{"a":"1234567890123456789"}', '{"a":"1234567890123456789"}'],
    ['12345678901234567890', '12345678901234567890'],
  ])('reads %s as %s', (json, encoded) => {
    expect(encodeJson(parseJson(json))).toBe(encoded)
  })

  it('reads nesting that would overflow the stack of a reviver', () => {
    const deep = `{"a":${'['.repeat(100_000)}12345678901234567890${']'.repeat(100_000)}}`
    expect(encodeJson(parseJson(deep))).toContain(TOO_DEEP)
  })

  it.each([
    [
      'tildes beside an escaped key',
      100_000,
      (length: number) => `{"k\\n":1,"text":"${'~'.repeat(length)}"}`,
    ],
    [
      'escaped keys beside tildes',
      50_000,
      (length: number) => `{"text":"${'~'.repeat(length)}","list":[${'{"\\n":1},'.repeat(length)}0]}`,
    ],
  ])('takes time in proportion to %s', (_, length, jsonOf) => {
    const once = millisOf(() => encodeJson(parseJson(jsonOf(length))))
    const twice = millisOf(() => encodeJson(parseJson(jsonOf(2 * length))))
    expect(twice).toBeLessThan(3 * once + 1000)
  })

  it('takes as long for a text inside 1,000 arrays as for one inside 10, give or take a second', () => {
    const text = `"${'x'.repeat(10_000_000)}"`
    const inArrays = (count: number) => `${'['.repeat(count)}${text}${',0]'.repeat(count)}`
    const shallow = millisOf(() => encodeJson(parseJson(inArrays(10))))
    const deep = millisOf(() => encodeJson(parseJson(inArrays(1000))))
    expect(deep).toBeLessThan(3 * shallow + 1000)
  })

  it('throws a SyntaxError for what is no JSON', () => {
    for (const text of ['', '{', '{NaN:1}', '[-NaN]', '[1NaN]', '[NaNs]', '{"a":12345678901234567890']) {
      expect(() => parseJson(text)).toThrow(SyntaxError)
    }
  })
})

function millisOf(work: () => void): number {
  const startedAt = performance.now()
  work()
  return performance.now() - startedAt
}

describe('isJsonObject', () => {
  it('is true of objects alone', () => {
    const values = ['{}', '[]', 'null', '1', '12345678901234567890', '"x"']
    expect(values.map((json) => isJsonObject(parseJson(json)))).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
    ])
  })
})
