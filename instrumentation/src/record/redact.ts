import type { AnyValue } from '@opentelemetry/api'
import { isMap, setMember } from './values.ts'

/** Stands where a secret was. */
export const REDACTED = '[redacted]'

export interface RedactOptions {
  /** Further shapes of secrets: every match within a text becomes `[redacted]`. Keep them linear in the text. */
  readonly patterns?: readonly RegExp[]
  /** Further keys whose values are secret whatever they look like. A string matches whole, ignoring case, `_` and `-`. */
  readonly keys?: readonly (string | RegExp)[]
  /** `false`: only the given patterns and keys, none of the well-known ones. Default: true. */
  readonly defaults?: boolean
}

/** Secrets with a shape of their own, and HTTP credentials. All have 16 letters, digits, `_` or `-` in a row. */
const TOKEN = anyOf(
  // Anthropic, OpenAI, OpenRouter; Stripe.
  /\bsk-(?=[\w-]{0,64}\d)[\w-]{20,}/,
  /\b[rs]k_(?:live|test)_\w{16,}/,
  // GitHub, GitLab, Slack, npm, PyPI, Hugging Face.
  /\bgh[opsur]_\w{20,}/,
  /\bgithub_pat_\w{20,}/,
  /\bglpat-[\w-]{16,}/,
  /\bxox[abeoprs]-[\w-]{16,}/,
  /\bnpm_\w{30,}/,
  /\bpypi-[\w-]{30,}/,
  /\bhf_\w{20,}/,
  // AWS key ids, Google, SendGrid, private keys.
  /\bA[KS]IA[A-Z\d]{16}\b/,
  /\bAIza[\w-]{30,}/,
  /\bSG\.[\w-]{16,}\.[\w-]{16,}/,
  /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]{0,32}PRIVATE KEY-----|[\s\S]*)/,
  /(\b(?:[Bb]earer|BEARER|[Bb]asic) {1,4})[\w.~+/-]{16,}=*/,
)

/** Three words or more with dots between them. No word is looked at from its middle, which would take as long again. */
const DOTTED_WORDS = /(?<![\w-])[\w-]+(?:\.[\w-]+){2,}/g
/** Where the head of a JSON Web Token begins, base64 of `{"`. */
const JWT_HEAD = /\beyJ/
const MIN_JWT_HEAD_LENGTH = 16
const MIN_JWT_CLAIMS_LENGTH = 8

/** The password in `postgres://user:password@host`. */
const URL_PASSWORD = /(:\/\/[^\s:@/]*:)[^\s@/]+(?=@)/g

/** What `export DB_PASSWORD=...` assigns. */
const ASSIGNED_SECRET =
  /((?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)=)(?:"[^"\n]+"|'[^'\n]+'|[^\s"']+)/g

/** Nothing shorter is taken for a secret, nor for a text with one. */
const MIN_SECRET_LENGTH = 12

/** Compared without `_`, `-` and case, so that `apiKey`, `api_key` and `X-API-Key` are one; also as the end of a key. */
const SECRET_KEY =
  /(?:passw(?:or)?d|passphrase|secret|apikey|accesskey|privatekey|secretkey|secretaccesskey|(?:access|auth|refresh|session|id|bearer|api|security)token|authorization|cookie|credentials?)$|^token$|(?:git|npm|slack|bot|hub|lab)token$/

const MAX_REMEMBERED_KEYS = 4096

/** Finds secrets by their shape and by the key that they stand under. */
export class Redactor {
  readonly #defaults: boolean
  readonly #patterns: readonly RegExp[]
  readonly #keyNames: ReadonlySet<string>
  readonly #keyPatterns: readonly RegExp[]
  /** What was found about each key, since the same few keys come with every event. */
  readonly #remembered = new Map<string, boolean>()

  constructor({ patterns = [], keys = [], defaults = true }: RedactOptions = {}) {
    this.#defaults = defaults
    this.#patterns = patterns.map((pattern) => withFlag(pattern, 'g'))
    this.#keyNames = new Set(keys.filter((key) => typeof key === 'string').map(normalize))
    this.#keyPatterns = keys.filter((key) => typeof key !== 'string').map((key) => withFlag(key, ''))
  }

  isSecretKey(key: string): boolean {
    const known = this.#remembered.get(key)
    if (known !== undefined) return known
    const name = normalize(key)
    const secret =
      (this.#defaults && SECRET_KEY.test(name)) ||
      this.#keyNames.has(name) ||
      this.#keyPatterns.some((pattern) => pattern.test(key))
    // An application may use ids as keys; those must not pile up here.
    if (this.#remembered.size < MAX_REMEMBERED_KEYS) this.#remembered.set(key, secret)
    return secret
  }

  /** Takes the secrets out of a payload in place, but for the given texts, which have none. */
  redact(data: Record<string, AnyValue>, except: ReadonlySet<string>): void {
    for (const key of Object.keys(data)) {
      const member = data[key]!
      const redacted =
        isSecretValue(member) && this.isSecretKey(key) ? REDACTED : this.#redacted(member, except)
      if (redacted !== member) setMember(data, key, redacted)
    }
  }

  #redacted(value: AnyValue, except: ReadonlySet<string>): AnyValue {
    if (typeof value === 'string') return except.has(value) ? value : this.text(value)
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) value[index] = this.#redacted(value[index]!, except)
    } else if (isMap(value)) {
      this.redact(value, except)
    }
    return value
  }

  text(text: string): string {
    if (text.length < MIN_SECRET_LENGTH) return text
    let redacted = text
    if (this.#defaults) {
      // The first looks are cheap, and mostly the last.
      if (hasLongRun(text)) redacted = replaceAll(redacted, TOKEN)
      if (text.includes('eyJ')) redacted = redacted.replace(DOTTED_WORDS, withoutJwts)
      if (text.includes('@')) redacted = replaceAll(redacted, URL_PASSWORD)
      if (text.includes('=')) redacted = replaceAll(redacted, ASSIGNED_SECRET)
    }
    for (const pattern of this.#patterns) redacted = replaceAll(redacted, pattern)
    return redacted
  }
}

/** The redactor that the client's option `redact` asks for; null when nothing is to be redacted. */
export function redactorOf(redact: boolean | RedactOptions): Redactor | null {
  return redact === false ? null : new Redactor(redact === true ? {} : redact)
}

/** Flags and gaps tell nothing; everything else under the key of a secret may be one. */
function isSecretValue(value: AnyValue): boolean {
  return value !== null && value !== '' && typeof value !== 'boolean'
}

function replaceAll(text: string, pattern: RegExp): string {
  pattern.lastIndex = 0
  return pattern.test(text) ? text.replace(pattern, keepPrefix) : text
}

/** The built-in patterns' group is what stays readable before a secret; without a group, `prefix` is a number. */
function keepPrefix(_secret: string, prefix?: string | number): string {
  return typeof prefix === 'string' ? prefix + REDACTED : REDACTED
}

/** With `[redacted]` for each JSON Web Token, `head.claims.signature`. */
function withoutJwts(dotted: string): string {
  const words = dotted.split('.')
  const kept: string[] = []
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    const head = index + 2 < words.length ? word.search(JWT_HEAD) : -1
    const isJwt =
      head >= 0 &&
      word.length - head >= MIN_JWT_HEAD_LENGTH &&
      words[index + 1]!.length >= MIN_JWT_CLAIMS_LENGTH
    kept.push(isJwt ? word.slice(0, head) + REDACTED : word)
    if (isJwt) index += 2
  }
  return kept.join('.')
}

function anyOf(...patterns: RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => source).join('|'), 'g')
}

const RUN_LENGTH = 16
const IN_RUN = new Uint8Array(256)
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-')
  IN_RUN[char.charCodeAt(0)] = 1

/**
 * Whether 16 letters, digits, `_` or `-` stand in a row, as in nearly every secret and hardly any prose. Looks at
 * each sixteenth character, and around it only where it may lie in such a run: ten times as fast as a pattern.
 */
function hasLongRun(text: string): boolean {
  let index = RUN_LENGTH - 1
  while (index < text.length) {
    if (!isInRun(text, index)) {
      index += RUN_LENGTH
      continue
    }
    let start = index
    while (start > 0 && isInRun(text, start - 1)) start--
    let end = index + 1
    while (end < text.length && isInRun(text, end)) end++
    if (end - start >= RUN_LENGTH) return true
    index = end + RUN_LENGTH
  }
  return false
}

function isInRun(text: string, index: number): boolean {
  const char = text.charCodeAt(index)
  return char < 256 && IN_RUN[char] === 1
}

function normalize(key: string): string {
  return key.replace(/[_-]/g, '').toLowerCase()
}

/** The pattern with or without the flag that makes it match more than once, and remember where it stopped. */
function withFlag(pattern: RegExp, global: 'g' | ''): RegExp {
  return new RegExp(pattern, pattern.flags.replace(/[gy]/g, '') + global)
}
