import { createHash } from 'node:crypto'
import type { Agent, request } from 'node:http'
import { Queue } from '../delivery/queue.ts'
import type { TlsOptions } from '../options/options.ts'

/** Enough for a thousand clients with a batch a second each at 30 ms a request; one client uses few of them. */
const MAX_CONNECTIONS = 32

const pools = new Map<string, Connections>()

/** The keep-alive connections of all clients of the process that talk to the same endpoint. */
export class Connections {
  readonly agent: Agent
  readonly request: typeof request
  readonly #key: string
  #users = 0
  #free = MAX_CONNECTIONS
  readonly #waiting = new Queue<() => void>()

  static borrow(endpoint: URL, tls: TlsOptions = {}): Connections {
    const key = `${endpoint.origin} ${fingerprint(tls)}`
    const connections = pools.get(key) ?? new Connections(key, endpoint, tls)
    pools.set(key, connections)
    connections.#users++
    return connections
  }

  private constructor(key: string, endpoint: URL, tls: TlsOptions) {
    // Loaded with the first client and not with this file: node:http costs as much as the rest of the client.
    const http = process.getBuiltinModule(endpoint.protocol === 'https:' ? 'node:https' : 'node:http')
    this.#key = key
    this.request = http.request
    this.agent = new http.Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS, ...tls })
  }

  /**
   * Makes a request once a connection is free for it. Node's agent would queue requests, too, but complete ones:
   * a swarm's would fill the memory.
   */
  async use<T>(exchange: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await exchange()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }

  /** Given back by its last user, it closes its idle connections. */
  giveBack(): void {
    if (--this.#users > 0) return
    pools.delete(this.#key)
    this.agent.destroy()
  }
}

function fingerprint({ ca, cert, key }: TlsOptions): string {
  if (!ca && !cert && !key) return ''
  const hash = createHash('sha256')
  for (const part of [ca, cert, key]) hash.update(part ?? '').update('\0')
  return hash.digest('hex')
}
