import { Client, type ClientConfig, DatabaseError, Pool } from 'pg'
import type { ResolvedOptions } from '../options.ts'
import { type DatabaseHost, databaseHosts } from './database-url.ts'
import { ReadOnlyError, UnavailableError } from './errors.ts'
import { fixSettings } from './session.ts'

export type ConnectionOptions = Pick<ResolvedOptions, 'databaseUrl' | 'connectTimeoutMillis'>

const KEEP_ALIVE_MILLIS = 10_000
const END_TIMEOUT_MILLIS = 1_000
/** Connections that read: for queries of people and for health checks. */
const MAX_READERS = 2

/**
 * A connection that is ready for queries, to the first host that answers and is fit. As with libpq, `sslmode=prefer` (the
 * default) falls back to plain text when the server offers no TLS, or lets this user in only without it.
 * @throws the error of the last host
 */
export async function connect(options: ConnectionOptions): Promise<Client> {
  return (await connectTo(databaseHosts(options.databaseUrl), options)).client
}

interface Connected {
  readonly client: Client
  /** It worked with these; more connections like it may be made. */
  readonly config: ClientConfig
}

async function connectTo(hosts: readonly DatabaseHost[], options: ConnectionOptions): Promise<Connected> {
  let failure: unknown
  for (const host of hosts) {
    try {
      return await connectToHost(host, options)
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

async function connectToHost(
  { url, mustBeWritable }: DatabaseHost,
  options: ConnectionOptions,
): Promise<Connected> {
  const sslmode = sslModeOf(url)
  const config = clientConfig(url, options, sslmode)
  try {
    return await connectWith(config, mustBeWritable)
  } catch (error) {
    if (sslmode !== 'prefer' || !maySucceedInPlainText(error)) throw error
    return connectWith(clientConfig(url, options, 'disable'), mustBeWritable)
  }
}

async function connectWith(config: ClientConfig, mustBeWritable: boolean): Promise<Connected> {
  const client = new Client(config)
  // Whoever uses the connection learns of its loss from the query that fails.
  client.on('error', () => {})
  await client.connect()
  try {
    const timeoutMillis = config.connectionTimeoutMillis ?? 0
    await bounded(client, timeoutMillis, async () => {
      await fixSettings(client)
      if (mustBeWritable && (await isReadOnly(client))) throw new ReadOnlyError()
    })
  } catch (error) {
    await disconnect(client)
    throw error
  }
  return { client, config }
}

async function isReadOnly(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ transaction_read_only: string }>('SHOW transaction_read_only')
  return rows[0]?.transaction_read_only === 'on'
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

/**
 * Connections for reading, made when they are needed. Each goes the way that `connect` goes, so that a pool outlives the
 * failover of its server.
 */
export async function createPool(options: ResolvedOptions): Promise<Pool> {
  const { client, config } = await connectTo(databaseHosts(options.databaseUrl), options)
  await disconnect(client)
  const pool = new Pool({
    ...config,
    max: MAX_READERS,
    allowExitOnIdle: true,
    query_timeout: options.queryTimeoutMillis,
    verify: (client, done) => {
      fixSettings(client)
        .then(() => client.query(`SET statement_timeout = ${options.queryTimeoutMillis}`))
        .then(() => done(), done)
    },
  })
  // A connection that is lost while nobody uses it is replaced by the next query.
  pool.on('error', () => {})
  return pool
}

/** invalid_authorization_specification: no line of pg_hba.conf lets this user in with TLS. */
const NOT_LET_IN = '28000'

function maySucceedInPlainText(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.code === NOT_LET_IN
  return error instanceof Error && error.message === 'The server does not support SSL connections'
}

function clientConfig(host: URL, options: ConnectionOptions, sslmode: string): ClientConfig {
  const url = new URL(host)
  url.searchParams.set('sslmode', sslmode)
  url.searchParams.set('uselibpqcompat', 'true')
  return {
    connectionString: url.href,
    connectionTimeoutMillis: options.connectTimeoutMillis,
    enableChannelBinding: url.searchParams.get('channel_binding') === 'require',
    fallback_application_name: 'agentic-hooks',
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MILLIS,
  }
}

/** `allow` (plain text first) is taken for `prefer`, which is never the weaker of the two. */
function sslModeOf(url: URL): string {
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
  if (host.startsWith('/')) return 'disable' // a Unix socket
  const mode = url.searchParams.get('sslmode') ?? process.env.PGSSLMODE ?? 'prefer'
  return mode === 'allow' ? 'prefer' : mode
}
