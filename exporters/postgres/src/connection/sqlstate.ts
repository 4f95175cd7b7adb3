import { DatabaseError } from 'pg'
import { PoolerError, SchemaError } from './errors.ts'

/**
 * What an error of PostgreSQL means for the batch that met it.
 *
 * - `row`: one row can never be stored; it is taken out and rejected by name.
 * - `duplicate`: the batch, or a part of it, is already there.
 * - `conflict`: two transactions met; the same write succeeds when it is tried again.
 * - `reconnect`: this connection, or the server behind it, will not take writes; a new one may.
 * - `retry`: the server is there and cannot take writes now.
 * - `configuration`: nothing helps until a person changes something; the batch waits meanwhile.
 */
export type Remedy = 'row' | 'duplicate' | 'conflict' | 'reconnect' | 'retry' | 'configuration'

const INTERNAL_ERROR = 'XX000'
/** Begins the value that PostgreSQL is made to refuse when an event refers to a row of hook_resources that is not there. */
export const WITHOUT_RESOURCE = 'rows of hook_resources are missing, found: '

/** By SQLSTATE, or by its class (the first two characters) where the code is not listed. */
const REMEDIES: ReadonlyMap<string, Remedy> = new Map([
  ['23505', 'duplicate'], // unique_violation

  ['40P01', 'conflict'], // deadlock_detected
  ['40001', 'conflict'], // serialization_failure

  ['22', 'row'], // data_exception: text that is not UTF-8, JSON that is none, a time out of range, NUL
  ['23', 'row'], // integrity_constraint_violation: a CHECK or NOT NULL that someone added
  ['54', 'row'], // program_limit_exceeded: an index entry or jsonb too large, nesting beyond the stack
  ['P0001', 'row'], // raise_exception: a trigger that someone added refuses the row

  ['08', 'reconnect'], // connection_exception
  ['25006', 'reconnect'], // read_only_sql_transaction: failed over, this server is a standby now
  ['57', 'reconnect'], // operator_intervention: admin_shutdown, crash_shutdown, cannot_connect_now
  ['58', 'reconnect'], // system_error: the server lost a file or its disk
  // internal_error: an array too large for PostgreSQL's memory, say, or a fault of the server. See Writer, which finds out.
  [INTERNAL_ERROR, 'row'],
  ['XX', 'reconnect'], // data_corrupted, index_corrupted

  ['53', 'retry'], // insufficient_resources: disk_full, out_of_memory, too_many_connections
  ['55', 'retry'], // object_not_in_prerequisite_state: lock_not_available
  ['57014', 'retry'], // query_canceled: statement_timeout

  ['28', 'configuration'], // invalid_authorization_specification: wrong password, no pg_hba.conf entry
  ['3D', 'configuration'], // invalid_catalog_name: no such database
  ['3F', 'configuration'], // invalid_schema_name
  ['42', 'configuration'], // syntax_error_or_access_rule_violation: no such table, no such privilege
  ['0A', 'configuration'], // feature_not_supported
])

/** An error without an SQLSTATE is one of the connection. */
export function remedyOf(error: unknown): Remedy {
  if (error instanceof SchemaError || error instanceof PoolerError) return 'configuration'
  if (!(error instanceof DatabaseError) || error.code === undefined) return 'reconnect'
  if (isWithoutPartition(error) || isWithoutResource(error)) return 'retry'
  return REMEDIES.get(error.code) ?? REMEDIES.get(error.code.slice(0, 2)) ?? 'retry'
}

/**
 * No partition takes the row, not even the default one: check_violation of a table without the name of a constraint. The tables are
 * at fault, never the row.
 */
export function isWithoutPartition(error: unknown): boolean {
  return (
    error instanceof DatabaseError && error.code === '23514' && error.table !== undefined && !error.constraint
  )
}

/** The row, from 1, that the error's context names, in whichever language; null when it names none. */
export function lineOf(error: unknown): number | null {
  const match = error instanceof DatabaseError && /^COPY [^\s,]+,\D*(\d+)/m.exec(error.where ?? '')
  return match ? Number(match[1]) : null
}

/** Somebody, or a failover, took rows of hook_resources away that were there before. */
export function isWithoutResource(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '22P02' && error.message.includes(WITHOUT_RESOURCE)
}

/** An error that a row or the server may have caused. */
export function isInternalError(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === INTERNAL_ERROR
}
