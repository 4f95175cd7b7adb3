/** The event types of the design. Any other string is a custom type and is stored as it is. */
export const EventType = {
  SessionStarted: 'session_started',
  SessionCompleted: 'session_completed',
  ToolExecutionStarted: 'tool_execution_started',
  /** A failed tool is completed too: `data.success` is false and `data.error` says why. */
  ToolExecutionCompleted: 'tool_execution_completed',
  ToolBlocked: 'tool_blocked',
  /** `data.scope` is `turn` (prompt to answer) or `model_call` (one request to a model). */
  AgentRequestStarted: 'agent_request_started',
  AgentRequestCompleted: 'agent_request_completed',
  UserPromptSubmitted: 'user_prompt_submitted',
  HookDecision: 'hook_decision',
  Custom: 'custom',
  SubagentStarted: 'subagent_started',
  SubagentStopped: 'subagent_stopped',
  PermissionRequested: 'permission_requested',
  SystemNotification: 'system_notification',
  ContextCompacted: 'context_compacted',
  TaskCompleted: 'task_completed',
  AgentStopped: 'agent_stopped',
  ErrorOccurred: 'error_occurred',
} as const

export type EventType = (typeof EventType)[keyof typeof EventType] | (string & {})

/** The payload of an event: any JSON object. docs/guide/values.md says what becomes of values JSON does not have. */
export type EventData = Record<string, unknown>

/** What an agent emits. */
export interface HookEvent {
  /** At most {@link MAX_NAME_LENGTH} characters, like the ids below. */
  eventType: EventType
  sessionId: string
  workflowId?: string | null
  phaseId?: string | null
  milestoneId?: string | null
  data?: EventData
  /** A UUID. Two events with the same id are one event. Default: a new UUIDv7. */
  eventId?: string
  /** Date or milliseconds since 1970. Default: now. */
  timestamp?: Date | number
}

/** What a reader gets back: every field is there, `null` where the sender gave nothing. */
export interface StoredEvent extends HookEvent {
  workflowId: string | null
  phaseId: string | null
  milestoneId: string | null
  data: EventData
  eventId: string
  timestamp: Date
  /** The same instant in microseconds since 1970, which a Date cannot hold. */
  timestampMicros: number
  /** OpenTelemetry severity number, 1 to 24. */
  severity: number | null
  /** 32 hex digits. */
  traceId: string | null
  /** 16 hex digits. */
  spanId: string | null
  attributes: EventData | null
  resource: EventData | null
  scope: EventData | null
}

/**
 * Longest event type, session, workflow, phase or milestone id, in UTF-16 code units. An event with a longer
 * one is rejected by name: PostgreSQL cannot index a value above 2,704 bytes, and nobody can read it.
 */
export const MAX_NAME_LENGTH = 512

/**
 * Latest storable time, 2255-06-05T23:47:34.740991Z in microseconds since 1970: the largest integer that a
 * number holds exactly. An event beyond it is rejected by name.
 */
export const MAX_TIMESTAMP_MICROS = Number.MAX_SAFE_INTEGER
