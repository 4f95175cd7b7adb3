import { type Micros, parseTimestamp } from '@agentic-hooks/events'
import type { Client } from 'pg'

/** Times from `from`, inclusive, to `to`, exclusive. */
export interface TimeRange {
  readonly from: Micros
  readonly to: Micros
}

export interface Partition extends TimeRange {
  readonly name: string
}

export type PartitionWidth = 'day' | 'month'

/** Every partition but the default one. Their bounds are read as `fixSettings` has them written. */
export async function listPartitions(client: Client): Promise<Partition[]> {
  const { rows } = await client.query<{ name: string; bound: string }>(
    `SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
     FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
     WHERE inhparent = to_regclass('hook_events') AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
     ORDER BY c.relname`,
  )
  return rows.map(({ name, bound }) => ({ name, ...parseBound(bound) }))
}

/** Whether someone took the default partition away. */
export async function lacksDefaultPartition(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass('hook_events') AND partdefid = 0`,
  )
  return rowCount === 1
}

function parseBound(bound: string): TimeRange {
  const match = /^FOR VALUES FROM \((.+)\) TO \((.+)\)$/.exec(bound)
  const [from, to] = [match?.[1], match?.[2]].map(parseLimit)
  if (from == null || to == null) throw new Error(`partition bound ${bound} is not a range of times`)
  return { from, to }
}

function parseLimit(limit = ''): Micros | null {
  if (limit === 'MINVALUE') return -Infinity
  if (limit === 'MAXVALUE') return Infinity
  return parseTimestamp(limit.slice(1, -1))
}

/** The UTC day or month that a time lies in. */
export function periodOf(micros: Micros, width: PartitionWidth): TimeRange {
  const date = new Date(Math.floor(micros / 1000))
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  return width === 'day'
    ? { from: Date.UTC(year, month, day) * 1000, to: Date.UTC(year, month, day + 1) * 1000 }
    : { from: Date.UTC(year, month) * 1000, to: Date.UTC(year, month + 1) * 1000 }
}

/** The period of a time and the `ahead` periods that follow it. */
export function periodsFrom(micros: Micros, ahead: number, width: PartitionWidth): TimeRange[] {
  const periods = [periodOf(micros, width)]
  while (periods.length <= ahead) periods.push(periodOf(periods.at(-1)!.to, width))
  return periods
}

/**
 * The parts of the wanted ranges that no partition covers, each to become one. They are whole ranges unless
 * partitions of another width were made earlier.
 */
export function missingPartitions(existing: readonly TimeRange[], wanted: readonly TimeRange[]): Partition[] {
  const sorted = existing.toSorted((a, b) => a.from - b.from)
  return wanted
    .flatMap((range) => uncovered(range, sorted))
    .map((range) => ({ ...range, name: nameOf(range) }))
}

function uncovered({ from, to }: TimeRange, sorted: readonly TimeRange[]): TimeRange[] {
  const gaps: TimeRange[] = []
  let start = from
  for (const taken of sorted) {
    if (taken.to <= start) continue
    if (taken.from >= to) break
    if (taken.from > start) gaps.push({ from: start, to: taken.from })
    start = taken.to
  }
  if (start < to) gaps.push({ from: start, to })
  return gaps
}

function nameOf({ from }: TimeRange): string {
  return `hook_events_p${isoDay(from).replaceAll('-', '')}`
}

function isoDay(micros: Micros): string {
  return new Date(micros / 1000).toISOString().slice(0, 10)
}

/**
 * Makes a partition, and moves what the default partition holds of its times into it. Attaching takes a weaker
 * lock on the table than CREATE TABLE ... PARTITION OF: writers wait only when they write to the default
 * partition. That one is locked before its rows are read, so that none arrives between moving and attaching.
 */
export function createPartitionSql({ name, from, to }: Partition): string {
  const bounds = [from, to].map((limit) => `'${new Date(limit / 1000).toISOString()}'`)
  return `
LOCK TABLE ONLY hook_events IN SHARE UPDATE EXCLUSIVE MODE;
LOCK TABLE hook_events_default IN ACCESS EXCLUSIVE MODE;
CREATE TABLE ${name} (LIKE hook_events INCLUDING ALL);
WITH moved AS (
  DELETE FROM hook_events_default
  WHERE "timestamp" >= ${bounds[0]} AND "timestamp" < ${bounds[1]}
  RETURNING *
)
INSERT INTO ${name} SELECT * FROM moved;
ALTER TABLE hook_events ATTACH PARTITION ${name} FOR VALUES FROM (${bounds[0]}) TO (${bounds[1]});`
}

/** Attaches the table where someone detached it, and makes it where someone dropped it. */
export const createDefaultPartitionSql = `
CREATE TABLE IF NOT EXISTS hook_events_default (LIKE hook_events INCLUDING ALL);
ALTER TABLE hook_events ATTACH PARTITION hook_events_default DEFAULT;`

/** DETACH ... CONCURRENTLY is refused beside a default partition, so all this waits for is the lock. */
export function dropPartitionSql({ name }: Partition): string {
  return `
ALTER TABLE hook_events DETACH PARTITION ${name};
DROP TABLE ${name};`
}
