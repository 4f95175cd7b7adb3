import { Client, type ClientConfig, DatabaseError, Pool } from 'pg'
import type { ResolvedOptions } from '../options.ts'
import { type DatabaseHost, databaseHosts } from './database-url.ts'
import { ReadOnlyError, UnavailableError } from './errors.ts'
import { fixSettings } from './session.ts'
import { remedyOf } from './sqlstate.ts'

export type ConnectionOptions = Pick<ResolvedOptions, 'databaseUrl' | 'connectTimeoutMillis'>

const KEEP_ALIVE_MILLIS = 10_000
const END_TIMEOUT_MILLIS = 1_000
/** Connections that read: for queries of people and for health checks. */
const MAX_READERS = 2

/**
 * A connection that is ready for queries, to the first host that answers and is fit. As with libpq, `sslmode=prefer` (the
 * default) falls back to plain text when the server offers no TLS, or lets this user in only without it.
 * @throws the host's error; of several hosts an UnavailableError with the error of each
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
  const failures: string[] = []
  for (const host of hosts) {
    try {
      const connected = await connectToHost(host, options)
      latestConfigs.set(options, connected.config)
      return connected
    } catch (error) {
      // As in libpq: a host that refuses the user is not passed over for one that may have other data.
      if (hosts.length === 1 || remedyOf(error) === 'configuration') throw error
      failures.push(`${addressOf(host)}: ${UnavailableError.from(error).message}`)
    }
  }
  throw new UnavailableError(`none of the hosts can be used: ${failures.join('; ')}`)
}

function addressOf({ url }: DatabaseHost): string {
  return url.searchParams.get('host') ?? url.host
}

/** What each exporter's latest connection was made with, by its options: its pool of readers goes there too. */
const latestConfigs = new WeakMap<ConnectionOptions, ClientConfig>()

async function connectToHost(
  { url, mustBeWritable, connectTimeoutMillis }: DatabaseHost,
  { connectTimeoutMillis: defaultMillis }: ConnectionOptions,
): Promise<Connected> {
  const sslmode = sslModeOf(url)
  const timeoutMillis = connectTimeoutMillis ?? defaultMillis
  const config = clientConfig(url, timeoutMillis, sslmode)
  try {
    return await connectWith(config, mustBeWritable)
  } catch (error) {
    if (sslmode !== 'prefer' || !maySucceedInPlainText(error)) throw error
    return connectWith(clientConfig(url, timeoutMillis, 'disable'), mustBeWritable)
  }
}

async function connectWith(config: ClientConfig, mustBeWritable: boolean): Promise<Connected> {
  const client = new Client(config)
  // Whoever uses the connection learns of its loss from the query that fails.
  client.on('error', () => {})
  if (config.enableChannelBinding) requireChannelBinding(client)
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

/** `channel_binding=require`: gives up before an answer to a server that asks for less than SCRAM bound to its TLS. */
function requireChannelBinding({ connection }: Client): void {
  const refuse = () => {
    connection.stream.destroy(
      new UnavailableError(
        'PostgreSQL: channel_binding is require, and the server offers no SCRAM-SHA-256-PLUS',
      ),
    )
  }
  connection.once('authenticationCleartextPassword', refuse)
  connection.once('authenticationMD5Password', refuse)
  connection.once('authenticationSASL', ({ mechanisms }: { mechanisms: readonly string[] }) => {
    if (!mechanisms.includes('SCRAM-SHA-256-PLUS')) refuse()
    else connection.off('authenticationOk', refuse)
  })
  connection.once('authenticationOk', refuse)
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
 * Connections for reading, made when they are needed. Each goes where the latest `connect` with these options went, with
 * TLS or without, so that the pool follows a failover to another host.
 */
export function createPool(options: ResolvedOptions): Pool {
  const query_timeout = options.queryTimeoutMillis
  const pool = new Pool({
    max: MAX_READERS,
    allowExitOnIdle: true,
    connectionTimeoutMillis: options.connectTimeoutMillis,
    Client: class extends Client {
      constructor() {
        const config = latestConfigs.get(options)
        super({ ...config, query_timeout })
        if (config?.enableChannelBinding) requireChannelBinding(this)
      }
    },
    verify: (client, done) => {
      fixSettings(client)
        .then(() => client.query(`SET statement_timeout = ${query_timeout}`))
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

function clientConfig(host: URL, connectTimeoutMillis: number, sslmode: string): ClientConfig {
  const url = new URL(host)
  url.searchParams.set('sslmode', sslmode)
  url.searchParams.set('uselibpqcompat', 'true')
  return {
    connectionString: url.href,
    connectionTimeoutMillis: connectTimeoutMillis,
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
