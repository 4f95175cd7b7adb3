import { execute } from '@agentic-hooks/testing/postgres'

const EVENTS = `
SELECT event_id, event_type, session_id, workflow_id, phase_id, milestone_id, data::text, "timestamp"::text,
  severity, trace_id, span_id, attributes::text, resource::text, scope::text
FROM hook_events LEFT JOIN hook_resources ON id = resource_id
ORDER BY "timestamp", event_id`

/** Every stored event, each column as PostgreSQL prints it; when it came is left out. */
export function storedRows(databaseUrl: string): Promise<Record<string, unknown>[]> {
  return execute(databaseUrl, EVENTS)
}

/** How many rows there are, and how many different events: one more row than events is one stored twice. */
export async function countStored(databaseUrl: string): Promise<{ rows: number; events: number }> {
  const [counts] = await execute(
    databaseUrl,
    'SELECT count(*)::int AS rows, count(DISTINCT event_id)::int AS events FROM hook_events',
  )
  return counts as { rows: number; events: number }
}
