import {
  type EventPage,
  type EventQuery,
  type EventReader,
  isStorableText,
  MAX_TIMESTAMP_MICROS,
  type PageRequest,
  type PageStart,
  type ResolvedPage,
  resolvePage,
  type SessionPage,
  type SessionSummary,
  type StoredEvent,
  toPage,
} from '@agentic-hooks/events'
import type { Pool, PoolClient } from 'pg'
import { type ClockOptions, requireAgreement } from './connection/clock.ts'
import { ReadOnlyError, UnavailableError } from './connection/errors.ts'

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

  async readEvents(query: EventQuery, request: PageRequest = {}): Promise<EventPage> {
    const page = resolvePage('events', query, request)
    const conditions = new Conditions(query)
    if (page.start) conditions.from(page, page.start)
    const direction = page.isDescending ? 'DESC' : 'ASC'
    const { rows } = await this.#pool.query<EventRow>(
      `SELECT ${COLUMNS} FROM hook_events LEFT JOIN hook_resources ON id = resource_id ${conditions}
       ORDER BY "timestamp" ${direction}, event_id ${direction} LIMIT ${conditions.parameter(page.limit + 1)}`,
      conditions.values,
    )
    const { items, ...cursors } = toPage('events', rows, page, (row) => ({
      timestampMicros: Number(row.timestamp_micros),
      id: row.event_id,
    }))
    return { events: items.map(storedEvent), ...cursors }
  }

  async readSessions(query: EventQuery, request: PageRequest = {}): Promise<SessionPage> {
    const page = resolvePage('sessions', query, request)
    const conditions = new Conditions(query)
    const having = page.start ? `HAVING ${conditions.sessionsFrom(page, page.start)}` : ''
    const direction = page.isDescending ? 'DESC' : 'ASC'
    const { rows } = await this.#pool.query<SessionRow>(
      `SELECT
         session_id, min("timestamp") AS started_at, max("timestamp") AS last_event_at, count(*) AS events,
         (extract(epoch FROM min("timestamp")) * 1000000)::bigint AS started_micros,
         count(*) FILTER (WHERE event_type = 'tool_execution_started') AS tools,
         count(*) FILTER (
           WHERE event_type = 'error_occurred'
           OR event_type = 'tool_execution_completed' AND data @> '{"success": false}'
         ) AS failures,
         count(*) FILTER (WHERE event_type = 'tool_blocked') AS blocked
       FROM hook_events ${conditions}
       GROUP BY session_id ${having}
       ORDER BY started_at ${direction}, session_id COLLATE "C" ${direction}
       LIMIT ${conditions.parameter(page.limit + 1)}`,
      conditions.values,
    )
    const { items, ...cursors } = toPage('sessions', rows, page, (row) => ({
      timestampMicros: Number(row.started_micros),
      id: row.session_id,
    }))
    return { sessions: items.map(sessionSummary), ...cursors }
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
  readonly started_micros: string
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

function sessionSummary(row: SessionRow): SessionSummary {
  return {
    sessionId: row.session_id,
    startedAt: row.started_at,
    lastEventAt: row.last_event_at,
    events: Number(row.events),
    tools: Number(row.tools),
    failures: Number(row.failures),
    blocked: Number(row.blocked),
  }
}

/** The WHERE clause of a query, and the values of its parameters. */
class Conditions {
  readonly values: unknown[] = []
  readonly #clauses: string[] = []

  constructor({ sessionId, eventTypes, from, to }: EventQuery) {
    // PostgreSQL refuses a NUL, and would be sent another character in place of a lone surrogate.
    if (sessionId !== undefined && !isStorableText(sessionId)) this.#clauses.push('false')
    else if (sessionId !== undefined) this.#clauses.push(`session_id = ${this.parameter(sessionId)}`)
    if (eventTypes) {
      this.#clauses.push(`event_type = ANY(${this.parameter(eventTypes.filter(isStorableText))}::text[])`)
    }
    if (from) this.#clauses.push(`"timestamp" >= ${this.parameter(bound(from))}`)
    if (to) this.#clauses.push(`"timestamp" < ${this.parameter(bound(to))}`)
  }

  /** Only the events from there on. The first condition alone lets PostgreSQL skip partitions. */
  from({ isDescending }: ResolvedPage, { timestampMicros, id, isInclusive }: PageStart): void {
    const timestamp = this.#instant(timestampMicros)
    const comparison = comparisonOf(isDescending, isInclusive)
    this.#clauses.push(`"timestamp" ${isDescending ? '<=' : '>='} ${timestamp}`)
    this.#clauses.push(`("timestamp", event_id) ${comparison} (${timestamp}, ${this.parameter(id)})`)
  }

  /** The condition on groups that leaves only the sessions from there on. */
  sessionsFrom({ isDescending }: ResolvedPage, { timestampMicros, id, isInclusive }: PageStart): string {
    const key = `(${this.#instant(timestampMicros)}, ${this.parameter(id)})`
    return `(min("timestamp"), session_id COLLATE "C") ${comparisonOf(isDescending, isInclusive)} ${key}`
  }

  toString(): string {
    return this.#clauses.length > 0 ? `WHERE ${this.#clauses.join(' AND ')}` : ''
  }

  /** Its place in the SQL. */
  parameter(value: unknown): string {
    this.values.push(value)
    return `$${this.values.length}`
  }

  #instant(micros: number): string {
    return `'epoch'::timestamptz + ${this.parameter(micros)} * interval '1 microsecond'`
  }
}

function comparisonOf(isDescending: boolean, isInclusive: boolean): string {
  return `${isDescending ? '<' : '>'}${isInclusive ? '=' : ''}`
}

/** A Date may be of a year that PostgreSQL cannot read; no event is of one. */
function bound(time: Date): string {
  const lastMillis = Math.ceil(MAX_TIMESTAMP_MICROS / 1000)
  return new Date(Math.min(Math.max(time.getTime(), -1), lastMillis)).toISOString()
}
