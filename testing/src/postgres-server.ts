import { once } from 'node:events'
import { createServer } from 'node:net'
import { Client } from 'pg'

/** A real PostgreSQL for tests and benches. */
export interface PostgresServer {
  /** A superuser's URL of the database `postgres`. */
  readonly url: string
  /** Where it comes from, for a report: `TEST_DATABASE_URL`, `docker` or `embedded`. */
  readonly source: string
  /** A fresh, empty database's URL. */
  createDatabase(): Promise<string>
  /** The orderly way: connections are ended, then the server is started again. */
  restart(): Promise<void>
  /** SIGKILL to every process, as when the machine crashes; `start` brings the server back. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Stops every process of the server where it is (SIGSTOP), so that clients see one that hangs. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Ends the server and removes its files. */
  stop(): Promise<void>
}

export interface PostgresOptions {
  /** Major version. Default: 18, or whatever TEST_DATABASE_URL offers. */
  readonly version?: 15 | 18
  /** For tests that kill, pause or configure the server: never the one that TEST_DATABASE_URL names. */
  readonly owned?: boolean
  /** Settings as in postgresql.conf. Implies the embedded binaries: a container would not see files they name. */
  readonly settings?: Readonly<Record<string, string>>
  /** Contents of files that the server alone may read, in its data folder. Goes with settings. */
  readonly files?: Readonly<Record<string, string>>
}

/** How each kind of server is driven; `startPostgres` adds what all have in common. */
export type ServerControl = Omit<PostgresServer, 'createDatabase'>

/** Runs one statement on a connection of its own. */
export async function execute(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {}) // the failing call reports it
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
