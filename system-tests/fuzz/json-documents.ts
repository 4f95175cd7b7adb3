import type { Random } from '@agentic-hooks/testing/random'

const MAX_DEPTH = 6
const MAX_ITEMS = 5

/** Names that mean something to JavaScript's objects, and to OTLP, REST and hooks. */
const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'toJSON',
  'length',
  '0',
  '-1',
  '',
  'k',
  'key',
  'value',
  'values',
  'data',
  'event_type',
  'session_id',
  'stringValue',
  'string_value',
  'kvlistValue',
]
/** Pieces of strings as they stand in JSON. */
const PIECES = [
  'a',
  'Bash',
  ' ',
  'é',
  '😀',
  '中文',
  '\\n',
  '\\"',
  '\\\\',
  '\\/',
  '\\b',
  '\\u0000',
  '\\u0041',
  '\\u00e9',
  '\\ud83d\\ude00',
  '\\ud800',
  '\\udc00',
  '\\uD83D\\uD83D\\uDE00',
  '\\u2028',
  ':',
  ',',
  '{',
  ']',
  'x'.repeat(15),
  'y'.repeat(40),
]
const NUMBERS = [
  '0',
  '-0',
  '-0.0',
  '0e5',
  '1',
  '-1',
  '9007199254740993',
  '-9223372036854775808',
  '123456789012345678901234567890',
  '0.1',
  '-0.5',
  '1e2',
  '1E+02',
  '1.5e-7',
  '5e-324',
  '1e-400',
  '1e400',
  '-1e400',
  '1.7976931348623157e308',
  '1.7976931348623159e308',
  '0.30000000000000004',
  '0.1000000000000000055511151231257827021181583404541015625',
  `1${'0'.repeat(308)}`,
  `1${'0'.repeat(309)}`,
  `0.${'0'.repeat(330)}1`,
  `0.${'0'.repeat(20)}1e20`,
]
const LITERALS = ['true', 'false', 'null', 'NaN', 'Infinity', '-Infinity']
/** What is no JSON, in place of a value. */
const NO_VALUES = [
  '',
  'nul',
  '01',
  '+1',
  '.5',
  '1.',
  '1e',
  '-',
  "'a'",
  '"\\x"',
  '"\t"',
  '"\\u12"',
  '[1,]',
  '{"a"}',
  '{a:1}',
  '"',
  'nan',
]
const SPACES = ['', '', '', ' ', '\n', '\r\n\t ']

/** A JSON text by chance; about one in eight is none, in one place. */
export function jsonDocument(random: Random): string {
  const writer = new DocumentWriter(random)
  const document = writer.value(0)
  return random.between(0, 15) === 0 ? damaged(document, random) : document
}

/** A text with one character more, less or other. */
function damaged(text: string, random: Random): string {
  const at = random.between(0, text.length)
  const inserted = random.pick(['', '"', '\\', '}', ']', ',', ':', '0', 'e', '\u0001', '\uFEFF', '{'])
  return text.slice(0, at) + inserted + text.slice(at + random.between(0, 1))
}

class DocumentWriter {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  value(depth: number): string {
    const random = this.#random
    switch (random.between(0, depth < MAX_DEPTH ? 8 : 5)) {
      case 0:
      case 1:
        return this.#string()
      case 2:
        return this.#number()
      case 3:
        return random.pick(LITERALS)
      case 4:
        return random.between(0, 30) === 0 ? random.pick(NO_VALUES) : this.#string()
      case 5:
        return random.pick(['{}', '[]', '""'])
      case 6:
        return this.#list('[', ']', () => this.value(depth + 1))
      default:
        return this.#list(
          '{',
          '}',
          () => `${this.#key()}${this.#space()}:${this.#space()}${this.value(depth + 1)}`,
        )
    }
  }

  #list(open: string, close: string, item: () => string): string {
    const items = Array.from(
      { length: this.#random.between(0, MAX_ITEMS) },
      () => this.#space() + item() + this.#space(),
    )
    return `${open}${items.join(',')}${close}`
  }

  /** Sometimes with a character of it escaped. */
  #key(): string {
    const name = this.#random.pick(NAMES)
    if (name === '' || this.#random.between(0, 3) > 0) return `"${name}"`
    const at = this.#random.between(0, name.length - 1)
    const escaped = `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`
    return `"${name.slice(0, at)}${escaped}${name.slice(at + 1)}"`
  }

  #string(): string {
    if (this.#random.between(0, 3) === 0) return `"${this.#random.pick(NAMES)}"`
    const pieces = Array.from({ length: this.#random.between(0, 6) }, () => this.#random.pick(PIECES))
    return `"${pieces.join('')}"`
  }

  #number(): string {
    const random = this.#random
    if (random.between(0, 1)) return random.pick(NUMBERS)
    const digits = (most: number) =>
      Array.from({ length: random.between(1, most) }, () => random.between(0, 9)).join('')
    const integer = String(BigInt(digits(25)))
    const fraction = random.between(0, 1) ? `.${digits(30)}` : ''
    const exponent = random.between(0, 1) ? `e${random.pick(['', '-', '+'])}${digits(3)}` : ''
    return `${random.pick(['', '-'])}${integer}${fraction}${exponent}`
  }

  #space(): string {
    return this.#random.pick(SPACES)
  }
}
