import type { EventRecord } from '@agentic-hooks/events'
import type { Client } from 'pg'
import { UnavailableError } from '../connection/errors.ts'
import { isInternalError, remedyOf, WITHOUT_RESOURCE } from '../connection/sqlstate.ts'
import { CopyIn } from './copy-in.ts'
import { COPY_COLUMNS, encodeRows } from './copy-rows.ts'
import type { Rows } from './pending-batch.ts'
import { KnownResources } from './resources.ts'

const COPY = `COPY hook_events (${COPY_COLUMNS}) FROM STDIN (FORMAT binary)`

/** One transaction; the rows go in by the order of the key, as everywhere (see PendingBatch). */
const COPY_NEW = `
COPY hook_events_incoming (${COPY_COLUMNS}) FROM STDIN (FORMAT binary);
INSERT INTO hook_events (${COPY_COLUMNS})
SELECT ${COPY_COLUMNS} FROM hook_events_incoming ORDER BY "timestamp", event_id
ON CONFLICT DO NOTHING
RETURNING event_id`

/**
 * Fails the transaction in which it comes last when fewer of these rows are there: its message is no number. TRUNCATE waits
 * for that transaction. It comes last so that tables are locked in the order in which people name them. Prepared, with
 * a plan that is kept, it takes 40 µs; planned for each COPY it would take three times as long.
 */
const PREPARE_REQUIRE = `
SET plan_cache_mode = force_generic_plan;
PREPARE hook_resources_required (uuid[], bigint) AS
SELECT FROM (SELECT count(*) AS found FROM hook_resources WHERE id = ANY ($1)) AS counted
WHERE found < $2 AND ('${WITHOUT_RESOURCE}' || found)::bigint > 0`

function requireSql(ids: ReadonlySet<string>): string {
  return ids.size === 0 ? '' : `;\nEXECUTE hook_resources_required ('{${[...ids].join()}}', ${ids.size})`
}

function resourceIdsOf(rows: readonly Rows[]): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const { resources } of rows) for (const { id } of resources.values()) ids.add(id.toString('hex'))
  return ids
}

/** The smallest row of a time, which never stays. */
const probeSql = (timestampMicros: number) => `
BEGIN;
INSERT INTO hook_events (event_id, event_type, session_id, data, "timestamp")
VALUES (gen_random_uuid(), 'probe', '', '{}', 'epoch'::timestamptz + ${timestampMicros} * interval '1 microsecond');
ROLLBACK`

/** Empty again after each transaction. */
const CREATE_INCOMING = 'CREATE TEMPORARY TABLE hook_events_incoming (LIKE hook_events) ON COMMIT DELETE ROWS'

/** Memory that a connection keeps from one COPY to the next; what a larger one needs is given back. */
const MAX_KEPT_BYTES = 2 ** 22

/** Stores rows over one connection. One call at a time. */
export class EventStore {
  readonly client: Client
  readonly resources = new KnownResources()
  /** Encoding into the same pages again costs a third of doing it into fresh ones. */
  #memory = Buffer.alloc(0)
  #hasIncoming = false
  #canRequire = false

  constructor(client: Client) {
    this.client = client
  }

  /**
   * Stores all the rows, or none when one of them is there already (unique_violation) or refused, or refers to a row of
   * hook_resources that is not there (see isWithoutResource).
   */
  async copy(rows: readonly Rows[]): Promise<void> {
    await this.#copy(COPY, rows)
  }

  /** Stores the rows that are not there yet; how many of each. Costs 1.6 times as much as `copy`. */
  async copyNew(rows: readonly Rows[]): Promise<number[]> {
    if (!this.#hasIncoming) await this.client.query(CREATE_INCOMING)
    this.#hasIncoming = true
    const stored = new Map<string, number>()
    for (const eventId of await this.#copy(COPY_NEW, rows)) {
      stored.set(eventId, (stored.get(eventId) ?? 0) + 1)
    }
    return rows.map(({ events }) => events.filter(({ eventId }) => takeOne(stored, eventId)).length)
  }

  /**
   * Whether the table would take a row of this event's time, into the same partition and indexes.
   * @throws UnavailableError when it would not, for a reason that is not the row's
   */
  async probe({ timestampMicros }: EventRecord): Promise<void> {
    try {
      await this.client.query(probeSql(timestampMicros))
    } catch (error) {
      await this.client.query('ROLLBACK')
      // A CHECK of yours may refuse what the probe writes; the server works.
      if (remedyOf(error) !== 'row' || isInternalError(error)) throw UnavailableError.from(error)
    }
  }

  async #copy(copySql: string, rows: readonly Rows[]): Promise<string[]> {
    const ids = resourceIdsOf(rows)
    if (ids.size > 0 && !this.#canRequire) {
      await this.client.query(PREPARE_REQUIRE)
      this.#canRequire = true
    }
    const sql = copySql + requireSql(ids)
    const message = encodeRows(rows, this.#reserve(rows))
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        // Some of it may still be on its way: unlike success, an error can come before everything was read.
        this.#memory = Buffer.alloc(0)
        reject(error)
      }
      this.client.query(new CopyIn(sql, message, resolve, fail))
    })
  }

  #reserve(rows: readonly Rows[]): Buffer {
    let bytes = 0
    for (const { boundBytes } of rows) bytes += boundBytes
    if (bytes > MAX_KEPT_BYTES) return Buffer.allocUnsafe(bytes)
    if (bytes > this.#memory.byteLength) this.#memory = Buffer.allocUnsafe(bytes)
    return this.#memory
  }
}

function takeOne(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key) ?? 0
  if (count > 0) counts.set(key, count - 1)
  return count > 0
}
