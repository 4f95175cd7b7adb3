export default `
CREATE TABLE hook_resources (
  id uuid PRIMARY KEY,
  resource jsonb,
  scope jsonb,
  first_seen timestamptz NOT NULL DEFAULT now(),
  last_seen timestamptz NOT NULL
);
COMMENT ON TABLE hook_resources IS 'Who emitted: one row for each OpenTelemetry resource and scope';
COMMENT ON COLUMN hook_resources.id IS 'Hash of the content';
COMMENT ON COLUMN hook_resources.last_seen IS
  'Latest time of an event that refers to the row, or of its receipt, to within a day';

CREATE TABLE hook_events (
  event_id uuid NOT NULL,
  event_type text NOT NULL,
  session_id text NOT NULL,
  workflow_id text,
  phase_id text,
  milestone_id text,
  data jsonb NOT NULL,
  "timestamp" timestamptz NOT NULL,
  observed_at timestamptz,
  received_at timestamptz NOT NULL DEFAULT now(),
  severity smallint,
  trace_id text,
  span_id text,
  attributes jsonb,
  resource_id uuid,
  PRIMARY KEY ("timestamp", event_id)
) PARTITION BY RANGE ("timestamp");
COMMENT ON TABLE hook_events IS 'Hook events of AI agents, stored once each';
COMMENT ON COLUMN hook_events.session_id IS 'Empty when the sender named no session';
COMMENT ON COLUMN hook_events.severity IS 'OpenTelemetry severity number, 1 to 24';
COMMENT ON COLUMN hook_events.resource_id IS
  'A row of hook_resources; no foreign key, which would cost a look-up for every event';

CREATE INDEX hook_events_session ON hook_events (session_id);

CREATE TABLE hook_events_default PARTITION OF hook_events DEFAULT;
COMMENT ON TABLE hook_events_default IS 'Events of times that have no partition yet';
`
