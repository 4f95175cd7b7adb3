import { createHash } from 'node:crypto'
import http from 'node:http'
import type { TlsOptions } from './options.ts'

/** One keep-alive pool for all clients of the process that talk to the same endpoint. */
export interface Connections {
  readonly agent: http.Agent
  readonly request: typeof http.request
  /** Closes the idle connections with the last user. */
  release(): void
}

/** Enough for a thousand clients with a batch a second each at 30 ms a request; one client uses few of them. */
const MAX_SOCKETS = 32

interface Pool {
  readonly agent: http.Agent
  users: number
}

const pools = new Map<string, Pool>()

export function borrowConnections(endpoint: URL, tls: TlsOptions = {}): Connections {
  const { request, Agent } = endpoint.protocol === 'https:' ? process.getBuiltinModule('node:https') : http
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
