import { randomUUID } from 'node:crypto'
import type { Client } from 'pg'
import { type ConnectionOptions, connect, disconnect } from './connection.ts'
import { PoolerError } from './errors.ts'

const BACKEND = `SELECT pg_backend_pid() AS pid, current_setting('agentic_hooks.probe', true) AS probe`

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
  const other = await connect(options)
  try {
    await other.query('BEGIN').catch(refuseStatementPooling)
    const others = await backendOf(other)
    const after = await backendOf(client)
    const isShared = others.probe === probe || others.pid === before.pid
    const hasMoved = after.pid !== before.pid || after.probe !== probe || before.probe !== probe
    if (isShared || hasMoved) throw new PoolerError('transaction')
    await other.query('ROLLBACK')
  } finally {
    await disconnect(other)
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
