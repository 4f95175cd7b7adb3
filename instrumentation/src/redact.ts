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

/** Credentials that are known by their shape, or by what stands before them (which stays readable). */
const SECRET_SHAPES = [
  // Anthropic, OpenAI, OpenRouter; Stripe.
  /\bsk-(?=[\w-]{0,64}\d)[\w-]{20,}/,
  /\b[rs]k_(?:live|test)_\w{16,}/,
  // GitHub, GitLab, Slack, npm, PyPI, Hugging Face.
  /\bgh[opsur]_\w{20,}/,
  /\bgithub_pat_\w{20,}/,
  /\bglpat-[\w-]{16,}/,
  /\bxox[abeoprs]-[\w-]{10,}/,
  /\bnpm_\w{30,}/,
  /\bpypi-[\w-]{30,}/,
  /\bhf_\w{20,}/,
  // AWS key ids, Google, SendGrid, JSON Web Tokens, private keys.
  /\bA[KS]IA[A-Z\d]{16}\b/,
  /\bAIza[\w-]{30,}/,
  /\bSG\.[\w-]{16,}\.[\w-]{16,}/,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/,
  /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]{0,32}PRIVATE KEY-----|[\s\S]*)/,
  // HTTP credentials, passwords in URLs, assignments as in `export DB_PASSWORD=...`.
  /(?<=\b(?:[Bb]earer|BEARER|[Bb]asic) {1,4})[\w.~+/-]{8,}=*/,
  /(?<=:\/\/[^\s:@/]{0,128}:)[^\s@/]+(?=@)/,
  /(?<=\b[A-Z\d_]{0,64}(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)=)(?:"[^"\n]+"|'[^'\n]+'|[^\s"']+)/,
]

/** Compared without `_`, `-` and case, so that `apiKey`, `api_key` and `X-API-Key` are one; also as the end of a key. */
const SECRET_KEY =
  /(?:passw(?:or)?d|passphrase|secret|apikey|accesskey|privatekey|secretkey|secretaccesskey|(?:access|auth|refresh|session|id|bearer|api|security)token|authorization|cookie|credentials?)$|^token$|(?:git|npm|slack|bot|hub|lab)token$/

const MAX_REMEMBERED_KEYS = 4096

/** Finds secrets by the key that they stand under and by their shape. */
export class Redactor {
  readonly #patterns: readonly RegExp[]
  readonly #keys: readonly RegExp[]
  readonly #keyNames: ReadonlySet<string>
  /** What was found about each key, since the same few keys come with every event. */
  readonly #remembered = new Map<string, boolean>()

  constructor({ patterns = [], keys = [], defaults = true }: RedactOptions = {}) {
    const names = keys.filter((key) => typeof key === 'string')
    this.#patterns = [...(defaults ? [ANY_SECRET_SHAPE] : []), ...patterns.map(toGlobal)]
    this.#keys = keys.filter((key) => typeof key !== 'string').map(withoutState)
    this.#keyNames = new Set(names.map(normalize))
    this.#defaults = defaults
  }

  readonly #defaults: boolean

  isSecretKey(key: string): boolean {
    const known = this.#remembered.get(key)
    if (known !== undefined) return known
    const name = normalize(key)
    const secret =
      (this.#defaults && SECRET_KEY.test(name)) ||
      this.#keyNames.has(name) ||
      this.#keys.some((pattern) => pattern.test(key))
    // An application may use ids as keys; those must not pile up here.
    if (this.#remembered.size < MAX_REMEMBERED_KEYS) this.#remembered.set(key, secret)
    return secret
  }

  text(text: string): string {
    let redacted = text
    for (const pattern of this.#patterns) redacted = redacted.replace(pattern, REDACTED)
    return redacted
  }
}

const ANY_SECRET_SHAPE = new RegExp(SECRET_SHAPES.map(({ source }) => source).join('|'), 'g')

function normalize(key: string): string {
  return key.replace(/[_-]/g, '').toLowerCase()
}

function toGlobal(pattern: RegExp): RegExp {
  return new RegExp(pattern, pattern.flags.includes('g') ? pattern.flags : `${pattern.flags}g`)
}

/** Without the flags that make `test` remember where it stopped. */
function withoutState(pattern: RegExp): RegExp {
  return new RegExp(pattern, pattern.flags.replace(/[gy]/g, ''))
}
