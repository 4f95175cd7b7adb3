export default `
-- What people ask first. Each is an ordinary view over all events; add a condition on time, or a session.

CREATE VIEW hook_sessions AS
SELECT
  session_id,
  min("timestamp") AS started_at,
  max("timestamp") AS last_event_at,
  max("timestamp") FILTER (WHERE event_type = 'session_completed') AS completed_at,
  max("timestamp") - min("timestamp") AS duration,
  count(*) AS events,
  count(*) FILTER (WHERE event_type = 'tool_execution_started') AS tools,
  count(*) FILTER (
    WHERE event_type = 'error_occurred'
    OR event_type = 'tool_execution_completed' AND data @> '{"success": false}'
  ) AS failures,
  count(*) FILTER (WHERE event_type = 'tool_blocked') AS blocked
FROM hook_events
WHERE session_id <> ''
GROUP BY session_id;
COMMENT ON VIEW hook_sessions IS 'One row for each session';

CREATE VIEW hook_tool_calls AS
SELECT
  session_id,
  coalesce(data->>'tool_use_id', data->>'tool_call_id') AS call_id,
  max(data->>'tool_name') AS tool_name,
  min("timestamp") FILTER (WHERE event_type = 'tool_execution_started') AS started_at,
  max("timestamp") FILTER (WHERE event_type = 'tool_execution_completed') AS completed_at,
  max("timestamp") FILTER (WHERE event_type = 'tool_blocked') AS blocked_at,
  bool_or(event_type = 'tool_execution_completed' AND data @> '{"success": false}') AS failed,
  max(
    -- jsonb holds numbers that no double can.
    CASE WHEN jsonb_typeof(data->'duration_ms') = 'number'
      THEN least((data->>'duration_ms')::numeric, 1e15)::float8 END
  ) AS reported_millis
FROM hook_events
WHERE event_type IN ('tool_execution_started', 'tool_execution_completed', 'tool_blocked')
  AND coalesce(data->>'tool_use_id', data->>'tool_call_id') IS NOT NULL
GROUP BY 1, 2;
COMMENT ON VIEW hook_tool_calls IS 'One row for each tool call that has an id: its start, end and outcome';

CREATE VIEW hook_tool_statistics AS
SELECT
  tool_name,
  count(*) AS calls,
  count(*) FILTER (WHERE failed) AS failures,
  count(*) FILTER (WHERE blocked_at IS NOT NULL) AS blocked,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_millis) AS p50_millis,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_millis) AS p95_millis
FROM (
  SELECT *, coalesce(reported_millis, extract(epoch FROM completed_at - started_at)::float8 * 1000)
    AS duration_millis
  FROM hook_tool_calls
) AS calls
GROUP BY tool_name;
COMMENT ON VIEW hook_tool_statistics IS
  'Calls, failures and durations of each tool; the duration is data.duration_ms, else from start to end';

CREATE VIEW hook_running_tools AS
SELECT
  session_id,
  call_id,
  tool_name,
  started_at,
  now() - started_at AS running_for
FROM hook_tool_calls AS call
WHERE started_at IS NOT NULL AND completed_at IS NULL AND blocked_at IS NULL
  AND NOT EXISTS (
    SELECT FROM hook_events AS ending
    WHERE ending.session_id = call.session_id AND ending.event_type = 'session_completed'
      AND ending."timestamp" >= call.started_at
  );
COMMENT ON VIEW hook_running_tools IS 'Tool calls that have started and neither ended nor lost their session';
`
