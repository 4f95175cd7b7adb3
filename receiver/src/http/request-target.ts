import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'
import { BadRequestError, ForbiddenHostError } from '../errors.ts'

const HOST_AND_PORT = /^(\[[\da-f:.]+\]|[a-z\d._-]+)(?::\d{0,5})?$/i
const ABSOLUTE_TARGET = /^https?:\/\/([^/?#]*)([/?].*)?$/i
const LOOPBACK_IPV4 = /^127(?:\.\d{1,3}){3}$/

/**
 * The hosts that a request may name. A web page whose name was made to lead to this machine (DNS rebinding) can read
 * and write here like a page of this machine, but its requests name its own host.
 */
export class Hosts {
  readonly #allowed: ReadonlySet<string>
  readonly #checks: boolean

  /**
   * @param host where the port listens
   * @param publicHosts others that are allowed
   * @param isGuarded whether clients must prove who they are, which a page cannot
   */
  constructor(host: string, publicHosts: readonly string[] | undefined, isGuarded: boolean) {
    this.#allowed = new Set([host, ...(publicHosts ?? [])].map(normalized))
    this.#checks = !isGuarded && (isLoopback(host) || publicHosts !== undefined)
  }

  /**
   * Leaves in `request.url` the path alone, where the request names its host in front of it.
   * @throws BadRequestError when the request names no host, several, or something else
   * @throws ForbiddenHostError
   */
  check(request: IncomingMessage): void {
    const header = hostHeader(request)
    const authority = absoluteAuthority(request) ?? header
    // HTTP/1.0 knows no Host; browsers do not speak it.
    if (authority === undefined && request.httpVersion === '1.0') return
    const [, host] = HOST_AND_PORT.exec(authority ?? '') ?? []
    if (host === undefined)
      throw new BadRequestError(
        `Host is ${JSON.stringify(authority ?? '')}; it must be a host, as in localhost:4318`,
      )
    if (!this.#checks || this.#allows(normalized(host), request)) return
    throw new ForbiddenHostError(host)
  }

  #allows(host: string, { socket: { localAddress = '' } }: IncomingMessage): boolean {
    return isLoopback(host) || this.#allowed.has(host) || host === normalized(localAddress)
  }
}

/** Of names `localhost` only: any other may lead elsewhere. */
export function isLoopback(host: string): boolean {
  const name = normalized(host)
  return name === 'localhost' || name === '::1' || LOOPBACK_IPV4.test(name)
}

/** One text for the spellings of a host. */
function normalized(host: string): string {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$|\.$/g, '')
    .replace(/^::ffff:(?=[\d.]+$)/, '')
  return isIPv6(name) ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name
}

function hostHeader({ rawHeaders }: IncomingMessage): string | undefined {
  let host: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    if (host !== undefined)
      throw new BadRequestError('the request has several Host headers; it must have one')
    host = rawHeaders[index + 1]
  }
  return host
}

/** Of a target as proxies get it (`GET http://localhost:4318/health HTTP/1.1`), which counts more than Host. */
function absoluteAuthority(request: IncomingMessage): string | undefined {
  const { url = '' } = request
  if (url.startsWith('/') || url === '*') return undefined
  const [, authority, path = ''] = ABSOLUTE_TARGET.exec(url) ?? []
  if (authority === undefined) throw new BadRequestError('the request target must be a path or an http URL')
  request.url = path.startsWith('/') ? path : `/${path}`
  return authority
}
