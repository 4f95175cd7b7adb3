import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { Logger } from 'pino'
import { TOKEN, TOKEN_RULE } from '../config/kinds.ts'
import { ConfigError } from '../config/options.ts'
import { UnauthorizedError } from '../errors.ts'

const FILE_POLL_MILLIS = 1_000

/** The bearer tokens that are valid now. Without any, everybody is let in. */
export class Authenticator {
  readonly #given: readonly Buffer[]
  readonly #file: string | undefined
  #digests: readonly Buffer[]

  /** @throws ConfigError when the file cannot be read, or holds no token, or one that no client can send */
  constructor(tokens: readonly string[], file: string | undefined, log: Logger) {
    this.#given = tokens.map(digest)
    this.#file = file
    this.#digests = this.#given
    if (file === undefined) return
    if (this.#read(file) === 0) {
      throw new ConfigError(
        `AUTH_TOKENS_FILE (${JSON.stringify(file)}) holds no token; write one per line, or unset AUTH_TOKENS_FILE`,
      )
    }
    // Polled, because the files of mounted secrets are replaced by links and never change themselves.
    watchFile(file, { interval: FILE_POLL_MILLIS, persistent: false }, () => {
      try {
        const tokens = this.#read(file)
        if (tokens > 0) log.info({ file, tokens }, 'tokens read again')
        else log.warn({ file }, 'the file of tokens holds none any more; it lets nobody in')
      } catch (error) {
        log.error({ err: error, file }, 'tokens could not be read again; the old ones stay valid')
      }
    })
  }

  get required(): boolean {
    return this.#digests.length > 0 || this.#file !== undefined
  }

  /**
   * Who sends the request: the same text for the same token or, without tokens, for the same address.
   * @throws UnauthorizedError
   */
  check(request: IncomingMessage): string {
    if (!this.required) return request.socket.remoteAddress ?? ''
    const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    if (token === undefined) throw new UnauthorizedError('send the header Authorization: Bearer <token>')
    const sent = digest(token)
    let valid = false
    // Every token is compared, each in constant time.
    for (const known of this.#digests) valid = timingSafeEqual(known, sent) || valid
    if (!valid) throw new UnauthorizedError('the bearer token is not one of AUTH_TOKENS or AUTH_TOKENS_FILE')
    return sent.toString('base64')
  }

  /** Whether `check` would not throw. */
  admits(request: IncomingMessage): boolean {
    try {
      this.check(request)
      return true
    } catch {
      return false
    }
  }

  close(): void {
    if (this.#file !== undefined) unwatchFile(this.#file)
  }

  /** @returns how many tokens the file holds */
  #read(file: string): number {
    let lines: string[]
    try {
      lines = readFileSync(file, 'utf8').split('\n')
    } catch (error) {
      throw new ConfigError(`AUTH_TOKENS_FILE cannot be read: ${(error as Error).message}`, { cause: error })
    }
    const tokens: string[] = []
    for (const [index, line] of lines.entries()) {
      const token = line.trim()
      if (token === '' || token.startsWith('#')) continue
      if (!TOKEN.test(token)) {
        throw new ConfigError(
          `line ${index + 1} of AUTH_TOKENS_FILE (${JSON.stringify(file)}) is not a token; a token is ${TOKEN_RULE}`,
        )
      }
      tokens.push(token)
    }
    this.#digests = [...this.#given, ...tokens.map(digest)]
    return tokens.length
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
