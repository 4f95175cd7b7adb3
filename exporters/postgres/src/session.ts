import type { Client } from 'pg'
import { ReadOnlyError, UnavailableError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'

/**
 * Makes a fresh connection fit for durable writes.
 * @throws UnavailableError when the server cannot take writes
 */
export async function prepareSession(client: Client, options: ResolvedOptions): Promise<void> {
  // remote_apply waits for more than on does; whoever chose it keeps it.
  await client.query(
    `SELECT set_config('synchronous_commit', 'on', false)
     WHERE current_setting('synchronous_commit') <> 'remote_apply'`,
  )
  // A server that waits, for a lock say, gives up before we do: its error leaves the connection usable.
  await client.query(`SET statement_timeout = ${Math.ceil(options.writeTimeoutMillis * 0.9)}`)
  const { rows } = await client.query<{ readonly: string; encoding: string }>(
    `SELECT current_setting('transaction_read_only') AS readonly, current_setting('server_encoding') AS encoding`,
  )
  if (rows[0]?.readonly === 'on') throw new ReadOnlyError()
  if (rows[0]?.encoding !== 'UTF8') {
    throw new UnavailableError(`PostgreSQL: the database's encoding must be UTF8, not ${rows[0]?.encoding}`)
  }
}
