import { describe, expect, it } from 'vitest'
import { checkOptions, nearestName, OptionRule } from '../src/options.ts'

const RULES = {
  maxBytes: OptionRule.integer(1, 1_000_000),
  share: OptionRule.number(0, 1),
  mode: OptionRule.oneOf('fast', 'safe'),
  path: OptionRule.text('a path'),
  token: {
    ...OptionRule.text('a token of 4 letters'),
    allows: (value: unknown) => value === 'abcd',
    isSecret: true,
  },
  logger: OptionRule.objectWith('a logger', 'warn'),
  headers: OptionRule.either(
    'an object or a function',
    OptionRule.function,
    OptionRule.mapOf('an object', { ...OptionRule.text('text'), isSecret: true }),
  ),
  tls: OptionRule.options('an object with cert', { cert: OptionRule.text('PEM') }),
  keys: OptionRule.listOf('a list', OptionRule.text('a key')),
}

const check = (options: unknown) =>
  checkOptions<Record<keyof typeof RULES, unknown>>('Client', RULES, options as object)

class WithGetter {
  get mode() {
    return 'wrong'
  }
}

describe('checkOptions', () => {
  it.each([
    [{ maxBytes: 0 }, 'Client option maxBytes is 0; it must be an integer from 1 to 1,000,000'],
    [{ maxBytes: '5' }, "Client option maxBytes is '5'; it must be an integer from 1 to 1,000,000"],
    [{ share: Number.NaN }, 'Client option share is NaN; it must be a number from 0 to 1'],
    [{ mode: 'quick' }, "Client option mode is 'quick'; it must be fast or safe"],
    [{ path: '' }, "Client option path is ''; it must be a path"],
    [{ token: 'hunter2' }, 'Client option token is not allowed; it must be a token of 4 letters'],
    [{ token: 7 }, 'Client option token is of the type number; it must be a token of 4 letters'],
    [{ logger: {} }, 'Client option logger is {}; it must be a logger'],
    [{ headers: { a: 'b', c: 1 } }, 'Client option headers.c is of the type number; it must be text'],
    [{ tls: { cert: 1 } }, 'Client option tls.cert is 1; it must be PEM'],
    [
      { tls: { certificate: 'x' } },
      'Client has no option tls.certificate; did you mean tls.cert? The options are tls.cert',
    ],
    [{ keys: ['a', ''] }, "Client option keys[1] is ''; it must be a key"],
    [{ maxByte: 1 }, 'Client has no option maxByte; did you mean maxBytes? The options are maxBytes, share,'],
    [{ max_bytes: 1 }, 'Client has no option max_bytes; did you mean maxBytes?'],
    [{ zzz: 1 }, 'Client has no option zzz; the options are maxBytes, share,'],
    [{ 'a\nb': 1 }, 'Client has no option "a\\nb"; the options are'],
    [JSON.parse('{"__proto__": {"maxBytes": 0}}'), 'Client has no option __proto__;'],
    [{ constructor: 1 }, 'Client has no option constructor;'],
    [{ hasOwnProperty: 1 }, 'Client has no option hasOwnProperty;'],
    [{ tls: JSON.parse('{"__proto__": 1}') }, 'Client has no option tls.__proto__;'],
    [null, 'Client options are null; they must be an object'],
    ['fast', "Client options are 'fast'; they must be an object"],
    [[], 'Client options are []; they must be an object'],
  ])('refuses %j by name', (options, message) => {
    expect(() => check(options)).toThrow(message)
  })

  it('returns what is given, and takes undefined for left out', () => {
    const given = { maxBytes: 1, headers: { a: 'b' }, tls: {}, keys: [] }
    expect(check({ ...given, mode: undefined, unknown: undefined })).toEqual(given)
  })

  it('reads only own members', () => {
    expect(check(new WithGetter())).toEqual({})
    expect(check(Object.create({ mode: 'wrong' }))).toEqual({})
  })

  it('names what is missing and has no default', () => {
    const rules = { path: { ...OptionRule.text('a path'), isRequired: true } }
    expect(() => checkOptions('Client', rules, {})).toThrow(
      'Client option path is missing; it must be a path',
    )
    expect(() => checkOptions('Client', rules, Object.create({ path: 'x' }))).toThrow('path is missing')
  })

  it('cuts what is long', () => {
    const long = 'x'.repeat(1_000_000)
    for (const options of [{ mode: long }, { [long]: 1 }, { token: long }]) {
      expect(() => check(options)).toThrow(
        expect.objectContaining({ message: expect.stringMatching(/^[\s\S]{1,400}$/) }),
      )
    }
  })
})

it('the nearest name is the one with the fewest letters to change, or the one that begins alike', () => {
  const known = ['flushIntervalMillis', 'flushTimeoutMillis', 'maxSpoolBytes', 'ca', 'cert', 'key']
  expect(nearestName('flushInterval', known)).toBe('flushIntervalMillis')
  expect(nearestName('flushIntervallMilis', known)).toBe('flushIntervalMillis')
  expect(nearestName('maxSpoolByets', known)).toBe('maxSpoolBytes')
  expect(nearestName('FLUSH_TIMEOUT_MILLIS', known)).toBe('flushTimeoutMillis')
  expect(nearestName('keys', known)).toBe('key')
  expect(nearestName('c', known)).toBe('ca')
  expect(nearestName('cart', known)).toBe('cert')
  expect(nearestName('certificate', known)).toBe('cert')
  expect(nearestName('elephant', known)).toBeNull()
  expect(nearestName('', known)).toBeNull()
})
