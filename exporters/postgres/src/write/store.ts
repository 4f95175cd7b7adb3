import type { Client } from 'pg'
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

/** The smallest row, which never stays. */
const PROBE = `
BEGIN;
INSERT INTO hook_events (event_id, event_type, session_id, data, "timestamp")
VALUES (gen_random_uuid(), 'probe', '', '{}', now());
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

  constructor(client: Client) {
    this.client = client
  }

  /** Stores all the rows, or none when one of them is there already (unique_violation) or refused. */
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

  /** @throws the error of PostgreSQL when not even the smallest row can be stored */
  async probe(): Promise<void> {
    try {
      await this.client.query(PROBE)
    } catch (error) {
      await this.client.query('ROLLBACK')
      throw error
    }
  }

  #copy(sql: string, rows: readonly Rows[]): Promise<string[]> {
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
