import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from 'pg'
import { bounded, type ConnectionOptions, connect, disconnect } from './connection.ts'
import { PoolerError } from './errors.ts'

const BACKEND = `SELECT pg_backend_pid() AS pid, current_setting('agentic_hooks.probe', true) AS probe`

/** Other clients of the pooler, our own among them, may take the session that the two connections would share. */
const ATTEMPTS = 30
const MAX_PAUSE_MILLIS = 5

interface Backend {
  readonly pid: number
  readonly probe: string | null
}

/**
 * Finds out whether a pooler stands between that gives each transaction, or statement, another session of the server
 * (pgbouncer's pool_mode transaction or statement). There `synchronous_commit` and every other setting would be those of
 * strangers, so that acknowledged events could be lost, and advisory locks would stay behind. A second connection holds a
 * session in a transaction: a pooler gives it the session that the first one has just used, and the first another.
 * @throws PoolerError when there is one
 */
export async function refusePooler(client: Client, options: ConnectionOptions): Promise<void> {
  const probe = randomUUID()
  await client.query(`SELECT set_config('agentic_hooks.probe', $1, false)`, [probe])
  const before = await backendOf(client)
  const attempts = isPooled(client, before.pid) ? ATTEMPTS : 1
  const other = await connect(options)
  try {
    for (let attempt = 0; attempt < attempts; attempt++) {
      await other.query('BEGIN').catch(refuseStatementPooling)
      const others = await backendOf(other)
      const after = await answerWhileHeld(client, before, options)
      const isShared = others.probe === probe || others.pid === before.pid
      const hasMoved = after.pid !== before.pid || after.probe !== probe || before.probe !== probe
      if (isShared || hasMoved) throw new PoolerError('transaction')
      await other.query('ROLLBACK')
      await delay(Math.random() * MAX_PAUSE_MILLIS)
    }
  } finally {
    await disconnect(other)
  }
}

/**
 * For a connection that is made anew: somebody may have put a pooler there since the start.
 * @throws PoolerError as {@link refusePooler}, or the error of the second connection, which a pooler has to have room for
 */
export async function refuseNewPooler(client: Client, options: ConnectionOptions): Promise<void> {
  const { pid } = await backendOf(client)
  if (isPooled(client, pid)) await refusePooler(client, options)
}

/** Poolers tell their clients a process id of their own making, for cancelling; PostgreSQL tells the backend's. */
function isPooled(client: Client, backendPid: number): boolean {
  return (client as Client & { readonly processID: number | null }).processID !== backendPid
}

/** A pool of one session has none left for the first connection while the second one is in a transaction. */
async function answerWhileHeld(
  client: Client,
  before: Backend,
  options: ConnectionOptions,
): Promise<Backend> {
  try {
    return await bounded(client, options.connectTimeoutMillis, () => backendOf(client))
  } catch (error) {
    throw isPooled(client, before.pid) ? new PoolerError('transaction') : error
  }
}

async function backendOf(client: Client): Promise<Backend> {
  const { rows } = await client.query<Backend>(BACKEND)
  return rows[0]!
}

function refuseStatementPooling(error: Error): never {
  if (error.message.includes('statement pooling')) throw new PoolerError('statement')
  throw error
}
