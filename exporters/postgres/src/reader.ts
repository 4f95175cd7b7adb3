import type { EventQuery, EventReader, SessionSummary, StoredEvent } from '@agentic-hooks/events'
import type { Pool, PoolClient } from 'pg'
import { type ClockOptions, requireAgreement } from './connection/clock.ts'
import { ReadOnlyError, UnavailableError } from './connection/errors.ts'

/** Events fetched at a time. */
const PAGE_SIZE = 500

const COLUMNS = `
  event_id, event_type, session_id, workflow_id, phase_id, milestone_id, data,
  (extract(epoch FROM "timestamp") * 1000000)::bigint AS timestamp_micros,
  severity, trace_id, span_id, attributes, resource, scope`

/** The lock that every write takes on the table. Partitions are another matter: most are not written to any more. */
const PROBE_LOCK = `
BEGIN;
SET LOCAL lock_timeout = '1s';
LOCK TABLE ONLY hook_events IN ROW EXCLUSIVE MODE;
ROLLBACK`

/** Answers questions about what is stored. */
export class Reader implements EventReader {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** @throws UnavailableError when the server does not answer in time, takes no writes, has another clock, or locks the table */
  async ping(options: ClockOptions): Promise<void> {
    const timeoutMillis = options.connectTimeoutMillis
    const ping = { text: 'SHOW transaction_read_only', query_timeout: timeoutMillis }
    const lock = { text: PROBE_LOCK, query_timeout: timeoutMillis }
    let client: PoolClient | undefined
    try {
      client = await this.#pool.connect()
      const { rows } = await client.query<{ transaction_read_only: string }>(ping)
      if (rows[0]?.transaction_read_only === 'on') throw new ReadOnlyError()
      await client.query(lock)
      await requireAgreement(client, options)
      client.release()
    } catch (error) {
      // A new connection may lead to a server that is fit.
      client?.release(true)
      throw UnavailableError.from(error)
    }
  }

  /** Page after page, without a transaction: events that arrive meanwhile may be among them. */
  async *query(query: EventQuery): AsyncIterable<StoredEvent> {
    let remaining = query.limit ?? Number.POSITIVE_INFINITY
    let last: EventRow | undefined
    while (remaining > 0) {
      const conditions = new Conditions(query)
      if (last) conditions.after(last)
      const size = Math.min(remaining, PAGE_SIZE)
      const { rows } = await this.#pool.query<EventRow>(
        `SELECT ${COLUMNS} FROM hook_events LEFT JOIN hook_resources ON id = resource_id
         ${conditions} ORDER BY "timestamp", event_id LIMIT ${conditions.parameter(size)}`,
        conditions.values,
      )
      for (const row of rows) yield storedEvent(row)
      if (rows.length < size) return
      remaining -= rows.length
      last = rows.at(-1)
    }
  }

  async sessions(query: EventQuery): Promise<SessionSummary[]> {
    const conditions = new Conditions(query)
    const limit = conditions.parameter(query.limit ?? null) // LIMIT NULL is none
    const { rows } = await this.#pool.query<SessionRow>(
      `SELECT
         session_id, min("timestamp") AS started_at, max("timestamp") AS last_event_at, count(*) AS events,
         count(*) FILTER (WHERE event_type = 'tool_execution_started') AS tools,
         count(*) FILTER (
           WHERE event_type = 'error_occurred'
           OR event_type = 'tool_execution_completed' AND data @> '{"success": false}'
         ) AS failures,
         count(*) FILTER (WHERE event_type = 'tool_blocked') AS blocked
       FROM hook_events ${conditions}
       GROUP BY session_id ORDER BY started_at DESC, session_id
       LIMIT ${limit}`,
      conditions.values,
    )
    return rows.map((row) => ({
      sessionId: row.session_id,
      startedAt: row.started_at,
      lastEventAt: row.last_event_at,
      events: Number(row.events),
      tools: Number(row.tools),
      failures: Number(row.failures),
      blocked: Number(row.blocked),
    }))
  }
}

interface EventRow {
  readonly event_id: string
  readonly event_type: string
  readonly session_id: string
  readonly workflow_id: string | null
  readonly phase_id: string | null
  readonly milestone_id: string | null
  readonly data: StoredEvent['data']
  /** PostgreSQL's bigint comes as text. */
  readonly timestamp_micros: string
  readonly severity: number | null
  readonly trace_id: string | null
  readonly span_id: string | null
  readonly attributes: StoredEvent['attributes']
  readonly resource: StoredEvent['resource']
  readonly scope: StoredEvent['scope']
}

interface SessionRow {
  readonly session_id: string
  readonly started_at: Date
  readonly last_event_at: Date
  readonly events: string
  readonly tools: string
  readonly failures: string
  readonly blocked: string
}

function storedEvent(row: EventRow): StoredEvent {
  const timestampMicros = Number(row.timestamp_micros)
  return {
    eventId: row.event_id,
    eventType: row.event_type,
    sessionId: row.session_id,
    workflowId: row.workflow_id,
    phaseId: row.phase_id,
    milestoneId: row.milestone_id,
    data: row.data,
    timestamp: new Date(Math.floor(timestampMicros / 1000)),
    timestampMicros,
    severity: row.severity,
    traceId: row.trace_id,
    spanId: row.span_id,
    attributes: row.attributes,
    resource: row.resource,
    scope: row.scope,
  }
}

/** The WHERE clause of a query, and the values of its parameters. */
class Conditions {
  readonly values: unknown[] = []
  readonly #clauses: string[] = []

  constructor({ sessionId, eventTypes, from, to }: EventQuery) {
    if (sessionId !== undefined) this.#clauses.push(`session_id = ${this.parameter(sessionId)}`)
    if (eventTypes) this.#clauses.push(`event_type = ANY(${this.parameter(eventTypes)})`)
    if (from) this.#clauses.push(`"timestamp" >= ${this.parameter(from.toISOString())}`)
    if (to) this.#clauses.push(`"timestamp" < ${this.parameter(to.toISOString())}`)
  }

  /** Only what comes after this row. The first condition alone lets PostgreSQL skip partitions. */
  after({ timestamp_micros, event_id }: EventRow): void {
    const timestamp = `'epoch'::timestamptz + ${this.parameter(timestamp_micros)} * interval '1 microsecond'`
    this.#clauses.push(`"timestamp" >= ${timestamp}`)
    this.#clauses.push(`("timestamp", event_id) > (${timestamp}, ${this.parameter(event_id)})`)
  }

  toString(): string {
    return this.#clauses.length > 0 ? `WHERE ${this.#clauses.join(' AND ')}` : ''
  }

  /** Its place in the SQL. */
  parameter(value: unknown): string {
    this.values.push(value)
    return `$${this.values.length}`
  }
}
