import type { Client } from 'pg'
import type { ResolvedOptions } from '../options.ts'
import { requireAgreement } from './clock.ts'
import { ReadOnlyError, UnavailableError } from './errors.ts'

/**
 * Settings that our statements, or our reading of the answers, depend on. Databases and roles may set others (ALTER
 * DATABASE, ALTER ROLE), and a connection begins with those, so that each connection sets these first. `search_path`
 * and `synchronous_commit` are not among them: a person chooses the first, and `prepareSession` raises the second.
 */
const SETTINGS = new Map([
  ['client_encoding', 'UTF8'],
  ['client_min_messages', 'warning'],
  ['TimeZone', 'UTC'],
  ['DateStyle', 'ISO, YMD'],
  ['IntervalStyle', 'postgres'],
  ['extra_float_digits', '1'],
  ['bytea_output', 'hex'],
  ['array_nulls', 'on'],
  ['standard_conforming_strings', 'on'],
  ['backslash_quote', 'safe_encoding'],
  ['quote_all_identifiers', 'off'],
  ['transform_null_equals', 'off'],
  ['default_transaction_isolation', 'read committed'],
  ['default_transaction_deferrable', 'off'],
  ['lock_timeout', '0'],
  ['statement_timeout', '0'],
  ['transaction_timeout', '0'],
  ['idle_in_transaction_session_timeout', '0'],
  ['idle_session_timeout', '0'],
])

// Not every version of PostgreSQL has all of them.
const FIX_SETTINGS = `
SELECT set_config(wanted.name, wanted.value, false)
FROM unnest($1::text[], $2::text[]) AS wanted (name, value) JOIN pg_settings USING (name)`

/** Gives a fresh connection the settings that everything else counts on. */
export async function fixSettings(client: Client): Promise<void> {
  // First on its own: the other statement may take longer than what someone set.
  await client.query('SET statement_timeout = 0')
  await client.query(FIX_SETTINGS, [[...SETTINGS.keys()], [...SETTINGS.values()]])
}

/**
 * Makes a fresh connection fit for durable writes.
 * @throws UnavailableError when the server cannot take writes, ClockError when its clock and ours disagree
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
  // Events without a time of their own get this machine's; retention would drop those of a machine that is years behind.
  await requireAgreement(client, options)
}
