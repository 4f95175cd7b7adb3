import { randomBytes } from 'node:crypto'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = /[ \t\n\r]*:/y

/**
 * Parses JSON whose keys come out as they were written. V8 (13.6, Node 24) can take an escaped key for one that it
 * met before in an object of the same shape, `k"` for `k\` for instance: it compares the text before it is
 * unescaped. So escaped keys, which are rare, are parsed under other names and renamed afterwards.
 * @throws SyntaxError
 */
export function withEscapedKeys(text: string, parse: (text: string) => unknown): unknown {
  const places = escapedKeys(text)
  if (places.length === 0) return parse(text)
  const names = new Names(text)
  let renamed = ''
  let end = 0
  for (let index = 0; index < places.length; index += 2) {
    const key = text.slice(places[index], places[index + 1])
    renamed += `${text.slice(end, places[index])}"${names.standIn(JSON.parse(key))}"`
    end = places[index + 1]!
  }
  return names.restore(parse(renamed + text.slice(end)))
}

/** The starts and ends of all keys with a backslash, their quotes included. */
function escapedKeys(text: string): number[] {
  const places: number[] = []
  let backslash = text.indexOf('\\')
  while (backslash >= 0) {
    let end = backslash
    for (; end < text.length && text.charCodeAt(end) !== QUOTE; end++)
      if (text.charCodeAt(end) === BACKSLASH) end++
    COLON.lastIndex = end + 1
    if (COLON.test(text)) places.push(text.lastIndexOf('"', backslash), end + 1)
    backslash = text.indexOf('\\', end + 1)
  }
  return places
}

/**
 * A short text that stands nowhere in the other. It is random, so that no sender can have it stand there: a mark made
 * longer until it fits would be as long as the sender likes, and be searched for as often.
 */
function absentFrom(text: string): string {
  for (;;) {
    const mark = `~${randomBytes(6).toString('base64url')}`
    if (!text.includes(mark)) return mark
  }
}

class Names {
  /** Stands nowhere in the text. */
  readonly #mark: string
  readonly #keys: string[] = []
  readonly #standIns = new Map<string, string>()

  constructor(text: string) {
    this.#mark = absentFrom(text)
  }

  standIn(key: string): string {
    let standIn = this.#standIns.get(key)
    if (standIn === undefined) {
      standIn = this.#mark + this.#keys.length
      this.#keys.push(key)
      this.#standIns.set(key, standIn)
    }
    return standIn
  }

  /** Without recursion: JSON.parse takes any depth. */
  restore(root: unknown): unknown {
    const waiting = [root]
    while (waiting.length) {
      const value = waiting.pop()
      if (typeof value !== 'object' || value === null) continue
      if (!Array.isArray(value)) this.#renameKeys(value)
      for (const member of Object.values(value)) waiting.push(member)
    }
    return root
  }

  /** All members are taken out and put back, so that they keep their order. */
  #renameKeys(object: object): void {
    const members = Object.entries(object)
    if (!members.some(([key]) => key.startsWith(this.#mark))) return
    for (const [key] of members) Reflect.deleteProperty(object, key)
    for (const [key, value] of members) {
      const name = key.startsWith(this.#mark) ? this.#keys[Number(key.slice(this.#mark.length))]! : key
      Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
    }
  }
}
