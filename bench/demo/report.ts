import { styleText } from 'node:util'
import {
  type EventReader,
  EventType,
  queryEvents,
  querySessions,
  type SessionSummary,
  type StoredEvent,
} from '@agentic-hooks/events'
import { formatTable, median, type Row } from '../harness.ts'

const MOST_SESSIONS_SHOWN = 12

/** What the store says about the sessions since `from`, as tables for a terminal. */
export async function describeStore(
  store: EventReader,
  from: Date,
): Promise<{ text: string; events: number }> {
  const summaries: SessionSummary[] = []
  for await (const summary of querySessions(store, { from })) summaries.push(summary)
  const ends = new Map(
    (await eventsOf(store, EventType.SessionCompleted, from)).map((event) => [event.sessionId, event]),
  )
  const sessions = summaries.map(({ sessionId, events, tools, failures, blocked }) => {
    const end = ends.get(sessionId)
    return {
      session: sessionId.length > 40 ? `${sessionId.slice(0, 39)}…` : sessionId,
      task: end?.workflowId ?? '',
      events,
      tools,
      failed: failures,
      blocked,
      seconds: Number(end?.data.duration_ms ?? Number.NaN) / 1000,
      'cost $': Number(end?.data.total_cost_usd ?? Number.NaN),
    }
  })
  const shown = sessions.slice(0, MOST_SESSIONS_SHOWN)
  const hidden = sessions.length - shown.length
  const lines = [
    table([...shown, totals(sessions)]),
    ...(hidden ? [styleText('dim', `${hidden} more sessions are in the totals only.`)] : []),
    '',
    table(await tools(store, from)),
  ]
  return { text: lines.join('\n'), events: summaries.reduce((sum, { events }) => sum + events, 0) }
}

function totals(sessions: readonly Row[]): Row {
  const sum = (column: string) =>
    sessions.reduce((total, session) => total + (Number(session[column]) || 0), 0)
  const columns = ['events', 'tools', 'failed', 'blocked', 'seconds', 'cost $']
  return {
    session: `${sessions.length} sessions`,
    task: '',
    ...Object.fromEntries(columns.map((column) => [column, sum(column)])),
  }
}

async function tools(store: EventReader, from: Date): Promise<Row[]> {
  const completed = await eventsOf(store, EventType.ToolExecutionCompleted, from)
  const blocked = await eventsOf(store, EventType.ToolBlocked, from)
  const byTool = Map.groupBy(completed, ({ data }) => String(data.tool_name))
  return Array.from(byTool, ([tool, calls]) => {
    const millis = calls.map(({ data }) => Number(data.duration_ms))
    return {
      tool,
      calls: calls.length,
      failed: calls.filter(({ data }) => data.success === false).length,
      blocked: blocked.filter(({ data }) => data.tool_name === tool).length,
      'median ms': median(millis),
      'longest ms': Math.max(...millis),
    }
  }).sort((a, b) => b.calls - a.calls)
}

async function eventsOf(store: EventReader, eventType: string, from: Date): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const event of queryEvents(store, { eventTypes: [eventType], from })) events.push(event)
  return events
}

function table(rows: readonly Row[]): string {
  const [header, rule, ...lines] = formatTable(rows, (text, column, row) => {
    if (column === 'failed' && row.failed) return styleText('red', text)
    if (column === 'blocked' && row.blocked) return styleText('yellow', text)
    return text
  }).split('\n')
  return [styleText('bold', header ?? ''), styleText('dim', rule ?? ''), ...lines].join('\n')
}
