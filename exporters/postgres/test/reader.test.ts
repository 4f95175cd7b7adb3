import {
  type EventQuery,
  type EventRecord,
  isEventReader,
  jsonBytes,
  nowMicros,
  queryEvents,
  type StoredEvent,
} from '@agentic-hooks/events'
import { sampleRecord, sampleRecords } from '@agentic-hooks/events/testing'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createExporter, type PostgresExporter } from '../src/index.ts'
import { emptyDatabase, send, startExporter } from './exporters.ts'

let server: PostgresServer
let databaseUrl: string
let exporter: PostgresExporter

beforeAll(async () => {
  server = await startPostgres()
  databaseUrl = await server.createDatabase()
})
beforeEach(async () => {
  await emptyDatabase(databaseUrl)
  exporter = await startExporter({ databaseUrl })
})
afterAll(() => server?.stop())

async function collect(events: AsyncIterable<StoredEvent>): Promise<StoredEvent[]> {
  const collected: StoredEvent[] = []
  for await (const event of events) collected.push(event)
  return collected
}

const START = nowMicros() - 3_600_000_000
/** An event so many milliseconds after the start. */
const after = (millis: number, eventType: string, data: object = {}, fields: Partial<EventRecord> = {}) =>
  sampleRecord({ timestampMicros: START + millis * 1000, eventType, data: jsonBytes({ ...data }), ...fields })

describe('query', () => {
  it('gives every field back', async () => {
    const record = sampleRecord({
      workflowId: 'w',
      phaseId: 'p',
      milestoneId: 'm',
      timestampMicros: 1_795_361_760_123_456,
      severity: 17,
      traceId: '0123456789abcdef0123456789abcdef',
      spanId: 'fedcba9876543210',
      attributes: jsonBytes({ a: 1 }),
      origin: { resource: jsonBytes({ r: [1] }), scope: jsonBytes({ name: 's' }) },
    })
    await send(exporter, [record])
    const { eventId, eventType, sessionId, traceId, spanId } = record
    expect(await collect(queryEvents(exporter, {}))).toEqual([
      {
        ...{ eventId, eventType, sessionId, traceId, spanId },
        ...{ workflowId: 'w', phaseId: 'p', milestoneId: 'm', severity: 17 },
        data: { tool_name: 'Bash', tool_input: { command: 'ls -la' } },
        timestamp: new Date(1_795_361_760_123),
        timestampMicros: 1_795_361_760_123_456,
        attributes: { a: 1 },
        resource: { r: [1] },
        scope: { name: 's' },
      },
    ])
  })

  it('pages through many events in order, those of one microsecond too', async () => {
    const records = sampleRecords(2_300).map((record, index) => ({
      ...record,
      timestampMicros: START + Math.floor(index / 700),
    }))
    await send(exporter, records)
    const found = (await collect(queryEvents(exporter, {}))).map(({ eventId }) => eventId)
    expect(found).toEqual(records.map(({ eventId }) => eventId))
  })

  it('can be left early', async () => {
    await send(exporter, sampleRecords(10))
    for await (const event of queryEvents(exporter, {})) {
      expect(event.eventType).toBe('tool_execution_started')
      break
    }
    expect(await collect(queryEvents(exporter, {}))).toHaveLength(10)
  })

  it('keeps to session, types and times, the first inclusive and the last exclusive', async () => {
    await send(exporter, [
      after(0, 'a', {}, { sessionId: 'one' }),
      after(1, 'b', {}, { sessionId: 'one' }),
      after(2, 'c', {}, { sessionId: 'one' }),
      after(3, 'a', {}, { sessionId: "two'; DROP TABLE hook_events" }),
    ])
    const types = async (query: EventQuery) =>
      (await collect(queryEvents(exporter, query))).map(({ eventType }) => eventType).join('')
    const time = (millis: number) => new Date(START / 1000 + millis)
    expect(await types({ sessionId: 'one' })).toBe('abc')
    expect(await types({ sessionId: "two'; DROP TABLE hook_events" })).toBe('a')
    expect(await types({ eventTypes: ['a', 'c'] })).toBe('aca')
    expect(await types({ eventTypes: [] })).toBe('')
    expect(await types({ from: time(1), to: time(3) })).toBe('bc')
    expect(await types({ from: time(1), to: time(3), sessionId: 'one', eventTypes: ['b'] })).toBe('b')
  })

  it('is refused before the start and after the shutdown', async () => {
    const other = createExporter({ databaseUrl })
    expect(isEventReader(other)).toBe(true)
    await expect(other.readEvents({})).rejects.toThrow('the exporter is not started')
    await exporter.shutdown()
    await expect(exporter.readSessions({})).rejects.toThrow('the exporter is not started')
  })
})

/** A session with a tool that succeeds, one that fails, one that is blocked and one that runs. */
const SESSION = [
  after(0, 'session_started'),
  after(100, 'tool_execution_started', { tool_name: 'Bash', tool_use_id: '1' }),
  after(300, 'tool_execution_completed', { tool_name: 'Bash', tool_use_id: '1', success: true }),
  after(400, 'tool_execution_started', { tool_name: 'Bash', tool_call_id: '2' }),
  after(500, 'tool_execution_completed', {
    ...{ tool_name: 'Bash', tool_call_id: '2', success: false, duration_ms: 42.5 },
  }),
  after(600, 'tool_blocked', { tool_name: 'Write', tool_use_id: '3' }),
  after(700, 'tool_execution_started', { tool_name: 'Read', tool_use_id: '4' }),
  after(800, 'error_occurred', { message: 'oops' }),
]

describe('sessions', () => {
  it('are summed up, the latest started first', async () => {
    const later = [after(5_000, 'session_started', {}, { sessionId: 'session-2' })]
    await send(exporter, [...SESSION, ...later])
    expect((await exporter.readSessions({})).sessions).toEqual([
      {
        sessionId: 'session-2',
        startedAt: new Date(START / 1000 + 5_000),
        lastEventAt: new Date(START / 1000 + 5_000),
        ...{ events: 1, tools: 0, failures: 0, blocked: 0 },
      },
      {
        sessionId: 'session-1',
        startedAt: new Date(START / 1000),
        lastEventAt: new Date(START / 1000 + 800),
        ...{ events: 8, tools: 3, failures: 2, blocked: 1 },
      },
    ])
    expect((await exporter.readSessions({}, { limit: 1 })).sessions).toHaveLength(1)
    expect(
      (await exporter.readSessions({ sessionId: 'session-1', eventTypes: ['tool_blocked'] })).sessions,
    ).toMatchObject([{ events: 1, blocked: 1 }])
  })
})

describe('views', () => {
  beforeEach(() => send(exporter, SESSION))

  it('hook_sessions has a row for each session', async () => {
    const [session] = await execute(
      databaseUrl,
      `SELECT session_id, events::int, tools::int, failures::int, blocked::int,
         extract(milliseconds FROM duration)::int AS millis, completed_at
       FROM hook_sessions`,
    )
    expect(session).toEqual({
      session_id: 'session-1',
      ...{ events: 8, tools: 3, failures: 2, blocked: 1, millis: 800, completed_at: null },
    })
  })

  it('hook_tool_statistics tells how often and how long, by the reported duration or by the clock', async () => {
    const rows = await execute(
      databaseUrl,
      `SELECT tool_name, calls::int, failures::int, blocked::int, p50_millis, p95_millis
       FROM hook_tool_statistics ORDER BY tool_name`,
    )
    expect(rows).toEqual([
      { tool_name: 'Bash', calls: 2, failures: 1, blocked: 0, p50_millis: 121.25, p95_millis: 192.125 },
      { tool_name: 'Read', calls: 1, failures: 0, blocked: 0, p50_millis: null, p95_millis: null },
      { tool_name: 'Write', calls: 1, failures: 0, blocked: 1, p50_millis: null, p95_millis: null },
    ])
  })

  it('hook_running_tools has what started and did not end, until its session ends', async () => {
    const running = 'SELECT session_id, call_id, tool_name FROM hook_running_tools'
    expect(await execute(databaseUrl, running)).toEqual([
      { session_id: 'session-1', call_id: '4', tool_name: 'Read' },
    ])
    await send(exporter, [after(900, 'session_completed')])
    expect(await execute(databaseUrl, running)).toEqual([])
  })

  it('do not mind payloads of any shape', async () => {
    await send(exporter, [
      after(1_000, 'tool_execution_completed', { tool_use_id: {}, tool_name: [], duration_ms: 'long' }),
      after(
        1_002,
        'tool_execution_completed',
        { tool_use_id: 'x' },
        { data: Buffer.from('{"tool_use_id":"9","duration_ms":1e400}') },
      ),
      after(1_001, 'tool_execution_started', { tool_use_id: 7, duration_ms: null, success: 'false' }),
    ])
    for (const view of ['hook_sessions', 'hook_tool_calls', 'hook_tool_statistics', 'hook_running_tools']) {
      expect(await execute(databaseUrl, `SELECT * FROM ${view}`)).not.toEqual([])
    }
  })
})
