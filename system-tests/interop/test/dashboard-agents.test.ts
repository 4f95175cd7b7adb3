import { batchOf, type HookEvent, toEventRecord } from '@agentic-hooks/events'
import { createExporter } from '@agentic-hooks/exporter-postgres'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expandSql, queriesOf } from '../grafana.ts'

const NOW = new Date('2026-11-22T15:30:00Z')
const RANGE = { from: new Date('2026-11-22T12:00:00Z'), to: new Date('2026-11-22T16:00:00Z') }

const completed = (data: HookEvent['data'], sessionId = 'session-1'): HookEvent => ({
  eventType: 'tool_execution_completed',
  sessionId,
  timestamp: NOW,
  data,
})

const EVENTS: readonly HookEvent[] = [
  { eventType: 'session_started', sessionId: 'session-1', timestamp: NOW.getTime() - 60_000 },
  {
    eventType: 'tool_execution_started',
    sessionId: 'session-1',
    timestamp: NOW,
    data: { tool_name: 'Bash' },
  },
  completed({ tool_name: 'Bash', success: true, duration_ms: 100 }),
  completed({ tool_name: 'Bash', success: false, duration_ms: 300, error: 'exit code 1' }),
  // What no query may stumble over: strangers send what they like.
  completed({ tool_name: 7, success: 'maybe', duration_ms: 'long', usage: 'none' }, "o'neill"),
  completed({ tool_name: { nested: true }, duration_ms: null, error: ['a', 'b'] }, ''),
  {
    eventType: 'tool_blocked',
    sessionId: 'session-1',
    timestamp: NOW,
    data: { tool_name: 'Write', reason: 'policy' },
  },
  {
    eventType: 'agent_request_completed',
    sessionId: 'session-1',
    timestamp: NOW,
    data: {
      scope: 'model_call',
      model: 'claude-x',
      duration_ms: 2000,
      success: true,
      usage: { input_tokens: 1000, output_tokens: 50 },
    },
  },
  {
    eventType: 'agent_request_completed',
    sessionId: 'session-1',
    timestamp: NOW,
    data: { scope: 'model_call', usage: { input_tokens: 'many', output_tokens: [] } },
  },
]

describe('the dashboard of agents, against PostgreSQL', async () => {
  const queries = await queriesOf('agents')
  let server: PostgresServer
  let databaseUrl: string
  const rowsOf = (panel: string, session = '') => {
    const found = queries.find((query) => query.panel === panel)
    if (!found) throw new Error(`there is no panel ${panel}`)
    return execute(databaseUrl, expandSql(found.query, { ...RANGE, session }))
  }

  beforeAll(async () => {
    server = await startPostgres()
    databaseUrl = await server.createDatabase()
    const exporter = createExporter({ databaseUrl })
    await exporter.start()
    const records = EVENTS.map((event) => toEventRecord(event))
    const failures = [
      toEventRecord({
        eventType: 'error_occurred',
        sessionId: 'session-1',
        timestamp: NOW,
        data: { message: 'boom' },
      }),
    ]
    const withSeverity = failures.map((record) => ({ ...record, severity: 17 }))
    await exporter.export(batchOf([...records, ...withSeverity]), { signal: new AbortController().signal })
    await exporter.shutdown()
  })
  afterAll(() => server?.stop())

  it.each(queries)('runs the query of "$panel", for all sessions and for one', async ({ query }) => {
    for (const session of ['', 'session-1', "o'neill"]) {
      const rows = await execute(databaseUrl, expandSql(query, { ...RANGE, session }))
      expect(rows.length).toBeGreaterThan(session === 'session-1' ? 0 : -1)
    }
  })

  it('counts sessions, tools, failures and blocked tools', async () => {
    expect(await rowsOf('Sessions')).toEqual([{ count: '2' }])
    expect(await rowsOf('Tools run')).toEqual([{ count: '4' }])
    expect(await rowsOf('Tools failed')).toEqual([{ count: '1' }])
    expect(await rowsOf('Tools blocked')).toEqual([{ count: '1' }])
    expect(await rowsOf('Tokens', 'session-1')).toEqual([{ sum: '1050' }])
  })

  it('gives each tool its failure rate and how long it takes', async () => {
    const tools = await rowsOf('Tools')
    expect(tools).toContainEqual(
      expect.objectContaining({ tool: 'Bash', runs: '2', failed: '1', p50: 200, p95: 290 }),
    )
    expect(tools).toHaveLength(3)
  })

  it('lists sessions, and the failures of one', async () => {
    expect(await rowsOf('Latest sessions', 'session-1')).toMatchObject([
      {
        session: 'session-1',
        lasted: '60.000000',
        tools: '1',
        failures: '2',
        blocked: '1',
        'input tokens': '1000',
      },
    ])
    expect(await rowsOf('Latest failures', 'session-1')).toMatchObject([
      { type: 'error_occurred', error: 'boom' },
    ])
  })

  it('shows the timeline of a session in order', async () => {
    const timeline = await rowsOf('Timeline', 'session-1')
    expect(timeline).toHaveLength(8)
    expect(timeline[0]).toMatchObject({ type: 'session_started' })
  })
})
