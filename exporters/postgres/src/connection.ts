import { Client, type ClientConfig, Pool } from 'pg'
import { UnavailableError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'

export type ConnectionOptions = Pick<ResolvedOptions, 'databaseUrl' | 'connectTimeoutMillis'>

const KEEP_ALIVE_MILLIS = 10_000
const END_TIMEOUT_MILLIS = 1_000
/** Connections that read: for queries of people and for health checks. */
const MAX_READERS = 2

/**
 * A connection that is ready for queries. As with libpq, `sslmode=prefer` (the default) falls back to plain text
 * when the server offers no TLS.
 */
export async function connect(options: ConnectionOptions): Promise<Client> {
  const sslmode = sslModeOf(options.databaseUrl)
  try {
    return await connectWith(clientConfig(options, sslmode))
  } catch (error) {
    if (sslmode === 'prefer' && isWithoutTls(error)) return connectWith(clientConfig(options, 'disable'))
    throw error
  }
}

async function connectWith(config: ClientConfig): Promise<Client> {
  const client = new Client(config)
  // Whoever uses the connection learns of its loss from the query that fails.
  client.on('error', () => {})
  await client.connect()
  return client
}

/**
 * A server that hangs says nothing: after this time its connection is given up, and the action fails.
 * @throws UnavailableError then, and whatever the action throws
 */
export async function bounded<T>(
  client: Client,
  timeoutMillis: number,
  action: () => Promise<T>,
): Promise<T> {
  const timer = setTimeout(() => {
    client.connection.stream.destroy(new UnavailableError(`no answer within ${timeoutMillis} ms`))
  }, timeoutMillis)
  try {
    return await action()
  } finally {
    clearTimeout(timer)
  }
}

/** Ends a connection, also one whose server does not answer any more. */
export async function disconnect(client: Client): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), END_TIMEOUT_MILLIS)
  await client.end()
  clearTimeout(timer)
}

/** Connections for reading, made when they are needed, with TLS or without as `client` came to be. */
export function createPool(options: ResolvedOptions, client: Client): Pool {
  const pool = new Pool({
    ...clientConfig(options, client.ssl ? sslModeOf(options.databaseUrl) : 'disable'),
    max: MAX_READERS,
    allowExitOnIdle: true,
    query_timeout: options.queryTimeoutMillis,
  })
  // A connection that is lost while nobody uses it is replaced by the next query.
  pool.on('error', () => {})
  return pool
}

function isWithoutTls(error: unknown): boolean {
  return error instanceof Error && error.message === 'The server does not support SSL connections'
}

function clientConfig(options: ConnectionOptions, sslmode: string): ClientConfig {
  const url = new URL(options.databaseUrl)
  url.searchParams.set('sslmode', sslmode)
  url.searchParams.set('uselibpqcompat', 'true')
  return {
    connectionString: url.href,
    connectionTimeoutMillis: options.connectTimeoutMillis,
    fallback_application_name: 'agentic-hooks',
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MILLIS,
  }
}

/** `allow` (plain text first) is taken for `prefer`, which is never the weaker of the two. */
function sslModeOf(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
  if (host.startsWith('/')) return 'disable' // a Unix socket
  const mode = url.searchParams.get('sslmode') ?? process.env.PGSSLMODE ?? 'prefer'
  return mode === 'allow' ? 'prefer' : mode
}
