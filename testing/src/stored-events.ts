import { decodeEvent, type EventRecord, parseJson } from '@agentic-hooks/events'
import { execute } from '@agentic-hooks/testing/postgres'

const READ = `
SELECT json_build_object(
  'event_id', event_id, 'event_type', event_type, 'session_id', session_id,
  'workflow_id', workflow_id, 'phase_id', phase_id, 'milestone_id', milestone_id, 'data', data,
  'timestamp', to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'severity', severity, 'trace_id', trace_id, 'span_id', span_id, 'attributes', attributes,
  'resource', resource, 'scope', scope
)::text AS event
FROM hook_events LEFT JOIN hook_resources ON id = resource_id
ORDER BY "timestamp", event_id`

/** Every event in the database, read past the exporter. */
export async function storedEvents(databaseUrl: string): Promise<EventRecord[]> {
  const rows = await execute(databaseUrl, READ)
  return rows.map(({ event }) => decodeEvent(parseJson(String(event))))
}

/** One value that the database computes. */
export async function valueIn(databaseUrl: string, sql: string): Promise<unknown> {
  const rows = await execute(databaseUrl, sql)
  return rows[0] && Object.values(rows[0])[0]
}
