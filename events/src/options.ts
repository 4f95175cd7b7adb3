import { inspect } from 'node:util'

/** What an option may be. */
export interface OptionRule {
  /** Completes "it must be ...". */
  readonly allowed: string
  allows(value: unknown): boolean
  /** The value is never printed, nor what is inside it. */
  readonly isSecret?: boolean
  /** There is no default. */
  readonly isRequired?: boolean
  /** What is wrong inside an allowed value, as a whole message; null when nothing is. */
  problemInside?(owner: string, path: string, value: unknown): string | null
}

/** The rule of each option, by its name. */
export type OptionRules<Name extends string = string> = Readonly<Record<Name, OptionRule>>

/** Longer names and texts are cut in messages. */
const MAX_SHOWN_LENGTH = 80

/**
 * Checks options by their rules, nested ones included; only own members count. An option that is undefined counts as
 * left out.
 * @param owner who takes the options, as in `HookClient`
 * @returns the options that were given
 * @throws TypeError that names the first wrong option, its value and what is allowed; or the option that does not
 * exist, and the known one with the nearest name
 */
export function checkOptions<Options extends object>(
  owner: string,
  rules: OptionRules<Extract<keyof Options, string>>,
  options: object,
): Partial<Options> {
  if (!isObject(options))
    throw new TypeError(`${owner} options are ${shown(options)}; they must be an object`)
  const problem = problemWithMembers(owner, '', rules, options)
  if (problem) throw new TypeError(problem)
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<Options>
}

/** What is wrong with a value, as a whole sentence that starts with `name`; null when nothing is. */
export function problemWithValue(name: string, rule: OptionRule, value: unknown): string | null {
  if (rule.allows(value)) return null
  return `${name} is ${rule.isSecret ? shownSecret(value) : shown(value)}; it must be ${rule.allowed}`
}

/** The known name that a mistyped one most likely stands for; null when none is near. */
export function nearestName(name: string, known: Iterable<string>): string | null {
  const wanted = comparable(name)
  let nearest: string | null = null
  let least = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const other = comparable(candidate)
    const longest = Math.max(wanted.length, other.length)
    // A difference at the end of a name only, such as its unit, counts for less than other letters.
    const isStart =
      Math.min(wanted.length, other.length) > 2 && (other.startsWith(wanted) || wanted.startsWith(other))
    const distance = isStart ? Math.abs(wanted.length - other.length) / longest : editDistance(wanted, other)
    if (distance >= least || distance > longest / 2) continue
    least = distance
    nearest = candidate
  }
  return nearest
}

/** The rules that most options need. */
export const OptionRule = {
  boolean: { allowed: 'true or false', allows: (value) => typeof value === 'boolean' } satisfies OptionRule,

  function: { allowed: 'a function', allows: (value) => typeof value === 'function' } satisfies OptionRule,

  /** Not empty. */
  text(allowed: string): OptionRule {
    return { allowed, allows: (value) => typeof value === 'string' && value !== '' }
  },

  integer(min: number, max: number = Number.MAX_SAFE_INTEGER): OptionRule {
    return {
      allowed: `an integer from ${range(min, max)}`,
      allows: (value) => Number.isSafeInteger(value) && isWithin(value, min, max),
    }
  },

  number(min: number, max: number): OptionRule {
    return {
      allowed: `a number from ${range(min, max)}`,
      allows: (value) => typeof value === 'number' && isWithin(value, min, max),
    }
  },

  oneOf(...values: readonly string[]): OptionRule {
    return { allowed: values.join(' or '), allows: (value) => values.includes(value as string) }
  },

  /** An object with these methods, and whatever else. */
  objectWith(allowed: string, ...methods: readonly string[]): OptionRule {
    return {
      allowed,
      allows: (value) =>
        isObject(value) && methods.every((method) => typeof Reflect.get(value, method) === 'function'),
    }
  },

  /** An object with options of its own. */
  options(allowed: string, rules: OptionRules): OptionRule {
    return {
      allowed,
      allows: isObject,
      problemInside: (owner, path, value) => problemWithMembers(owner, `${path}.`, rules, value as object),
    }
  },

  /** An object whose member names are free and whose values are not. */
  mapOf(allowed: string, rule: OptionRule): OptionRule {
    return {
      allowed,
      allows: isObject,
      problemInside(owner, path, value) {
        for (const [name, member] of Object.entries(value as object)) {
          const problem = problemWithOption(owner, `${path}.${shownName(name)}`, rule, member)
          if (problem) return problem
        }
        return null
      },
    }
  },

  listOf(allowed: string, rule: OptionRule): OptionRule {
    return {
      allowed,
      allows: Array.isArray,
      problemInside(owner, path, value) {
        for (const [index, item] of (value as unknown[]).entries()) {
          const problem = problemWithOption(owner, `${path}[${index}]`, rule, item)
          if (problem) return problem
        }
        return null
      },
    }
  },

  /** Whatever one of the rules allows. */
  either(allowed: string, ...rules: readonly OptionRule[]): OptionRule {
    return {
      allowed,
      allows: (value) => rules.some((rule) => rule.allows(value)),
      problemInside: (owner, path, value) =>
        rules.find((rule) => rule.allows(value))?.problemInside?.(owner, path, value) ?? null,
    }
  },
}

function problemWithMembers(owner: string, path: string, rules: OptionRules, options: object): string | null {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (!Object.hasOwn(rules, name)) return unknownOption(owner, path, name, Object.keys(rules))
    const problem = problemWithOption(owner, path + name, rules[name]!, value)
    if (problem) return problem
  }
  for (const [name, rule] of Object.entries(rules)) {
    const isMissing = !Object.hasOwn(options, name) || Reflect.get(options, name) === undefined
    if (rule.isRequired && isMissing)
      return `${owner} option ${path}${name} is missing; it must be ${rule.allowed}`
  }
  return null
}

function problemWithOption(owner: string, path: string, rule: OptionRule, value: unknown): string | null {
  const problem = problemWithValue(`${owner} option ${path}`, rule, value)
  return problem ?? rule.problemInside?.(owner, path, value) ?? null
}

function unknownOption(owner: string, path: string, name: string, known: readonly string[]): string {
  const options = `options are ${known.map((one) => path + one).join(', ')}`
  const nearest = nearestName(name, known)
  const hint = nearest === null ? `the ${options}` : `did you mean ${path}${nearest}? The ${options}`
  return `${owner} has no option ${path}${shownName(name)}; ${hint}`
}

function shown(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: MAX_SHOWN_LENGTH, maxArrayLength: 10 })
}

function shownSecret(value: unknown): string {
  return typeof value === 'string' ? 'not allowed' : `of the type ${value === null ? 'null' : typeof value}`
}

/** Names come from configurations, and go into messages and logs. */
function shownName(name: string): string {
  return /^[\w.-]{1,80}$/.test(name) ? name : JSON.stringify(name.slice(0, MAX_SHOWN_LENGTH))
}

/** Without locales, whose first use costs 20 ms. */
function range(min: number, max: number): string {
  const grouped = (value: number) => String(value).replace(/\B(?=(?:\d{3})+$)/g, ',')
  return max === Number.MAX_SAFE_INTEGER ? grouped(min) : `${grouped(min)} to ${grouped(max)}`
}

function isWithin(value: unknown, min: number, max: number): boolean {
  return Number(value) >= min && Number(value) <= max
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function comparable(name: string): string {
  return name.slice(0, MAX_SHOWN_LENGTH).replaceAll(/[_-]/g, '').toLowerCase()
}

/** How many letters are to be put in, left out, replaced or swapped with their neighbour. */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1)
      let least = Math.min(previous[column]! + 1, current[column - 1]! + 1, replaced)
      const isSwap =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (isSwap) least = Math.min(least, beforePrevious[column - 2]! + 1)
      current.push(least)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[to.length]!
}
