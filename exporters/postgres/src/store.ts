import type { Client } from 'pg'
import { CopyIn } from './copy-in.ts'
import { COPY_COLUMNS } from './copy-rows.ts'
import type { Rows } from './pending-batch.ts'

const COPY = `COPY hook_events (${COPY_COLUMNS}) FROM STDIN (FORMAT binary)`

/**
 * One transaction. The rows go in by the order of the key, as everywhere (see PendingBatch), and the table is
 * empty again after the commit.
 */
const COPY_NEW = `
COPY hook_events_incoming (${COPY_COLUMNS}) FROM STDIN (FORMAT binary);
INSERT INTO hook_events (${COPY_COLUMNS})
SELECT ${COPY_COLUMNS} FROM hook_events_incoming ORDER BY "timestamp", event_id
ON CONFLICT DO NOTHING
RETURNING event_id`

const CREATE_INCOMING =
  'CREATE TEMPORARY TABLE IF NOT EXISTS hook_events_incoming (LIKE hook_events) ON COMMIT DELETE ROWS'

/** Stores all the rows, or none when one of them is there already (unique_violation) or refused. */
export function copyRows(client: Client, rows: readonly Rows[]): Promise<void> {
  return copy(client, COPY, rows).then(() => {})
}

/** Stores the rows that are not there yet; how many of each. 1.6 times the cost of {@link copyRows}. */
export async function copyNewRows(client: Client, rows: readonly Rows[]): Promise<number[]> {
  await client.query(CREATE_INCOMING)
  const stored = new Map<string, number>()
  for (const eventId of await copy(client, COPY_NEW, rows)) {
    stored.set(eventId, (stored.get(eventId) ?? 0) + 1)
  }
  return rows.map(({ events }) => events.filter(({ eventId }) => takeOne(stored, eventId)).length)
}

function takeOne(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key) ?? 0
  if (count > 0) counts.set(key, count - 1)
  return count > 0
}

function copy(client: Client, sql: string, rows: readonly Rows[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    client.query(
      new CopyIn(
        sql,
        rows.map(({ message }) => message),
        resolve,
        reject,
      ),
    )
  })
}
