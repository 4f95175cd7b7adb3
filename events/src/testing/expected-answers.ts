import { type EventRecord, toHookEvent } from '../batch.ts'
import type { StoredEvent } from '../event.ts'
import type { EventQuery, PageOrder, SessionSummary } from '../reader.ts'

/** The matching events of a list, all of them, in the order of a reader. */
export function eventsOf(
  records: readonly EventRecord[],
  query: EventQuery,
  order: PageOrder = 'descending',
): StoredEvent[] {
  const sorted = matching(records, query).toSorted(
    (a, b) => a.timestampMicros - b.timestampMicros || (a.eventId < b.eventId ? -1 : 1),
  )
  return (order === 'ascending' ? sorted : sorted.reverse()).map(toHookEvent)
}

/** A summary of each session of the matching events of a list, in the order of a reader. */
export function sessionsOf(
  records: readonly EventRecord[],
  query: EventQuery,
  order: PageOrder = 'descending',
): SessionSummary[] {
  const sessions = Map.groupBy(matching(records, query), ({ sessionId }) => sessionId)
  const started = Array.from(sessions.values(), (events) => ({
    startedMicros: Math.min(...events.map(({ timestampMicros }) => timestampMicros)),
    summary: summaryOf(events),
  }))
  const sorted = started.sort(
    (a, b) =>
      a.startedMicros - b.startedMicros ||
      Buffer.compare(Buffer.from(a.summary.sessionId), Buffer.from(b.summary.sessionId)),
  )
  return (order === 'ascending' ? sorted : sorted.reverse()).map(({ summary }) => summary)
}

function matching(records: readonly EventRecord[], query: EventQuery): EventRecord[] {
  const { sessionId, eventTypes, from, to } = query
  return records.filter(
    (record) =>
      (sessionId === undefined || record.sessionId === sessionId) &&
      (eventTypes === undefined || eventTypes.includes(record.eventType)) &&
      (from === undefined || record.timestampMicros >= from.getTime() * 1000) &&
      (to === undefined || record.timestampMicros < to.getTime() * 1000),
  )
}

function summaryOf(events: readonly EventRecord[]): SessionSummary {
  const times = events.map(({ timestampMicros }) => timestampMicros)
  const count = (isCounted: (event: EventRecord) => boolean) => events.filter(isCounted).length
  return {
    sessionId: events[0]!.sessionId,
    startedAt: new Date(Math.floor(Math.min(...times) / 1000)),
    lastEventAt: new Date(Math.floor(Math.max(...times) / 1000)),
    events: events.length,
    tools: count(({ eventType }) => eventType === 'tool_execution_started'),
    failures: count((event) => event.eventType === 'error_occurred' || isFailedTool(event)),
    blocked: count(({ eventType }) => eventType === 'tool_blocked'),
  }
}

function isFailedTool(event: EventRecord): boolean {
  return event.eventType === 'tool_execution_completed' && toHookEvent(event).data.success === false
}
