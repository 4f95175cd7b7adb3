import { isIPv6 } from 'node:net'

/**
 * What values an option takes. `parse` returns undefined for a value that is not allowed, or throws a TypeError that
 * says which part of it is not.
 */
export interface Kind<T> {
  /** Stands for the value in `--help`. */
  readonly placeholder: string
  /** Completes "it must be ..." in the message about a wrong value. */
  readonly allowed: string
  parse(text: string): T | undefined
}

export function text(placeholder: string): Kind<string> {
  return { placeholder, allowed: 'some text', parse: (value) => value }
}

export function oneOf<const T extends string>(values: readonly T[]): Kind<T> {
  return {
    placeholder: 'NAME',
    allowed: `one of ${values.join(' | ')}`,
    parse: (value) => values.find((allowed) => allowed === value),
  }
}

export const TOKEN = /^[!#-&(-~]+$/
export const TOKEN_RULE = 'visible ASCII characters without blanks and quotes'

/** Not an empty set: `,` is two variables that are not set, joined, and must not open the door. */
export const tokens: Kind<readonly string[]> = {
  placeholder: 'TOKEN,...',
  allowed: `one or several tokens separated by commas, each of ${TOKEN_RULE}; unset it to have none`,
  parse(value) {
    const items = splitList(value)
    return items.every((token) => TOKEN.test(token)) ? nonEmpty(items) : undefined
  },
}

/** `https://app.example.com`, as browsers send it. */
export const origins: Kind<readonly string[]> = {
  placeholder: 'ORIGIN,...',
  allowed: 'origins separated by commas, such as https://app.example.com',
  parse(value) {
    const urls = splitList(value).map((item) => URL.parse(item))
    const known = urls.map((url) =>
      url && /^https?:$/.test(url.protocol) && isBare(url) ? url.origin : undefined,
    )
    return known.length && known.every((origin) => origin !== undefined) ? known : undefined
  },
}

function isBare({ pathname, search, hash, username, password }: URL): boolean {
  return pathname === '/' && `${search}${hash}${username}${password}` === ''
}

export const hosts: Kind<readonly string[]> = {
  placeholder: 'NAME,...',
  allowed: 'names or addresses of hosts, without ports, separated by commas, such as events.example.com',
  parse(value) {
    const names = splitList(value)
    return names.length &&
      names.every((name) => /^[a-z\d._-]+$/i.test(name) || isIPv6(name.replace(/^\[|\]$/g, '')))
      ? names
      : undefined
  },
}

export function integer(placeholder: string, min: number, max: number): Kind<number> {
  return {
    placeholder,
    allowed: `an integer from ${min} to ${max}`,
    parse: (value) => inRange(/^\d+$/.test(value) ? Number(value) : Number.NaN, min, max),
  }
}

export const port = integer('PORT', 0, 65_535)

export const ports: Kind<readonly number[]> = {
  placeholder: 'PORT,...',
  allowed: 'one or several integers from 0 to 65535, separated by commas',
  parse(value) {
    const parsed = splitList(value).map(port.parse)
    return parsed.every((one) => one !== undefined) ? nonEmpty(parsed) : undefined
  },
}

/** Up to a day: Node's timers end at 24.8 of them. */
export function millis(min: number): Kind<number> {
  const max = 86_400_000
  return { ...integer('MS', min, max), allowed: `milliseconds, an integer from ${min} to ${max}` }
}

const BYTE_UNITS: Readonly<Record<string, number>> = { '': 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 }

export function bytes(min: number, max: number): Kind<number> {
  return {
    placeholder: 'BYTES',
    allowed: `a number of bytes from ${min} to ${max}, such as 67108864 or 64MiB`,
    parse(value) {
      const [, digits, unit = ''] = /^(\d+)([kmg]ib)?$/i.exec(value) ?? []
      return inRange(Number(digits) * BYTE_UNITS[unit.toLowerCase()]!, min, max)
    },
  }
}

export const databaseUrl: Kind<string> = {
  placeholder: 'URL',
  allowed: 'a URL such as postgres://user:password@host:5432/database',
  parse: (value) => (/^postgres(ql)?:\/\/./.test(value) ? value : undefined),
}

export function splitList(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

export function nonEmpty<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length > 0 ? items : undefined
}

function inRange(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined
}
