const QUOTE = 0x22
const BACKSLASH = 0x5c

const SPACE = /[ \t\n\r]*/y
/** Without control characters, which JSON has escaped only. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const PLAIN_TEXT = /[^"\\\u0000-\u001f]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
const LITERAL = /true|false|null|NaN|-?Infinity/y

/** One object or array that is open; an object's next member goes under `key`. */
interface Level {
  readonly value: unknown[] | Record<string, unknown>
  key: string
}

/**
 * Reads JSON that JSON.parse gets wrong, in time and memory in proportion to it, whatever it is, and without recursion.
 * The literals that are not finite come out as strings.
 */
export class JsonParser {
  readonly #text: string
  readonly #numberOf: (source: string) => unknown
  readonly #levels: Level[] = []
  #position = 0

  /** @param numberOf makes of a number's text what it is read as */
  constructor(text: string, numberOf: (source: string) => unknown) {
    this.#text = text
    this.#numberOf = numberOf
  }

  /** @throws SyntaxError */
  parse(): unknown {
    for (;;) {
      const value = this.#begin()
      if (value === OPENED) continue
      const root = this.#add(value)
      if (root === UNFINISHED) continue
      this.#skipSpace()
      if (this.#position < this.#text.length) throw this.#unexpected()
      return root
    }
  }

  /** The value that begins here; OPENED for an object or array that has something inside, which follows. */
  #begin(): unknown {
    this.#skipSpace()
    switch (this.#text[this.#position]) {
      case '"':
        return this.#string()
      case '{':
        this.#position++
        if (this.#skip('}')) return {}
        this.#levels.push({ value: {}, key: this.#key() })
        return OPENED
      case '[':
        this.#position++
        if (this.#skip(']')) return []
        this.#levels.push({ value: [], key: '' })
        return OPENED
      default:
        return this.#scalar()
    }
  }

  /** Puts a value where it belongs, and closes what ends behind it; returns the whole when that is done. */
  #add(value: unknown): unknown {
    let added = value
    for (;;) {
      const level = this.#levels.at(-1)
      if (level === undefined) return added
      const isArray = Array.isArray(level.value)
      if (Array.isArray(level.value)) level.value.push(added)
      else setMember(level.value, level.key, added)
      if (this.#skip(',')) {
        if (!isArray) level.key = this.#key()
        return UNFINISHED
      }
      if (!this.#skip(isArray ? ']' : '}')) throw this.#unexpected()
      this.#levels.pop()
      added = level.value
    }
  }

  #key(): string {
    this.#skipSpace()
    if (this.#text[this.#position] !== '"') throw this.#unexpected()
    const key = this.#string()
    if (!this.#skip(':')) throw this.#unexpected()
    return key
  }

  #string(): string {
    const start = this.#position
    let end = start + 1
    for (;;) {
      PLAIN_TEXT.lastIndex = end
      PLAIN_TEXT.test(this.#text)
      end = PLAIN_TEXT.lastIndex
      const unit = this.#text.charCodeAt(end)
      if (unit === QUOTE) break
      this.#position = end
      if (unit !== BACKSLASH || end + 1 >= this.#text.length) throw this.#unexpected()
      end += 2
    }
    this.#position = end + 1
    return JSON.parse(this.#text.slice(start, end + 1))
  }

  #scalar(): unknown {
    const literal = this.#match(LITERAL)
    switch (literal) {
      case 'true':
        return true
      case 'false':
        return false
      case 'null':
        return null
      case '':
        break
      default:
        return literal
    }
    const number = this.#match(NUMBER)
    if (number === '') throw this.#unexpected()
    return this.#numberOf(number)
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#position
    const token = pattern.exec(this.#text)?.[0] ?? ''
    this.#position += token.length
    return token
  }

  #skip(character: string): boolean {
    this.#skipSpace()
    const isThere = this.#text[this.#position] === character
    if (isThere) this.#position++
    return isThere
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#position
    SPACE.test(this.#text)
    this.#position = SPACE.lastIndex
  }

  #unexpected(): SyntaxError {
    const found = this.#text[this.#position]
    return new SyntaxError(
      found === undefined
        ? 'Unexpected end of JSON input'
        : `Unexpected ${JSON.stringify(found)} in JSON at position ${this.#position}`,
    )
  }
}

/** Of `#begin` and `#add`: no value that JSON can have. */
const OPENED = Symbol('opened')
const UNFINISHED = Symbol('unfinished')

function setMember(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
  else object[key] = value
}
