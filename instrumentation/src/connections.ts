import { createHash } from 'node:crypto'
import type { Agent, request } from 'node:http'
import type { TlsOptions } from './options.ts'

/** One keep-alive pool for all clients of the process that talk to the same endpoint. */
export interface Connections {
  readonly agent: Agent
  readonly request: typeof request
  /** Closes the idle connections with the last user. */
  release(): void
}

/** Enough for a thousand clients with a batch a second each at 30 ms a request; one client uses few of them. */
const MAX_SOCKETS = 32

interface Pool {
  readonly agent: Agent
  users: number
}

const pools = new Map<string, Pool>()

export function borrowConnections(endpoint: URL, tls: TlsOptions = {}): Connections {
  // Loaded with the first client and not with this file: node:http alone takes some 20 ms and 15 MB.
  const { request, Agent } = process.getBuiltinModule(
    endpoint.protocol === 'https:' ? 'node:https' : 'node:http',
  )
  const key = `${endpoint.origin} ${fingerprint(tls)}`
  const pool = pools.get(key) ?? {
    agent: new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, ...tls }),
    users: 0,
  }
  pools.set(key, pool)
  pool.users++
  let released = false
  return {
    agent: pool.agent,
    request,
    release() {
      if (released) return
      released = true
      if (--pool.users > 0) return
      pools.delete(key)
      pool.agent.destroy()
    },
  }
}

function fingerprint({ ca, cert, key }: TlsOptions): string {
  if (!ca && !cert && !key) return ''
  const hash = createHash('sha256')
  for (const part of [ca, cert, key]) hash.update(part ?? '').update('\0')
  return hash.digest('hex')
}
