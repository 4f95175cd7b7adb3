import { type EventData, EventType, InvalidEventError } from '@agentic-hooks/events'
import type { HookMapping, HookPayload, MappedEvent } from './hook-mapping.ts'

/** What an event of Claude Code is called here; one that is not listed keeps its name, in snake case. */
const EVENT_TYPES = new Map<string, EventType>([
  ['SessionStart', EventType.SessionStarted],
  ['SessionEnd', EventType.SessionCompleted],
  ['UserPromptSubmit', EventType.UserPromptSubmitted],
  ['Stop', EventType.AgentRequestCompleted],
  ['StopFailure', EventType.AgentRequestCompleted],
  ['PreToolUse', EventType.ToolExecutionStarted],
  ['PostToolUse', EventType.ToolExecutionCompleted],
  ['PostToolUseFailure', EventType.ToolExecutionCompleted],
  ['PermissionRequest', EventType.PermissionRequested],
  ['PermissionDenied', EventType.ToolBlocked],
  ['SubagentStart', EventType.SubagentStarted],
  ['SubagentStop', EventType.SubagentStopped],
  ['PostCompact', EventType.ContextCompacted],
  ['Notification', EventType.SystemNotification],
  ['TaskCompleted', EventType.TaskCompleted],
])

/** What `data` has besides the payload, for an event whose name says what the payload does not. */
const ADDED_DATA = new Map<string, EventData>([
  ['PostToolUse', { success: true }],
  ['PostToolUseFailure', { success: false }],
  ['Stop', { scope: 'turn', success: true }],
  ['StopFailure', { scope: 'turn', success: false }],
])
const NOTHING: EventData = {}

/** Hooks of Claude Code, `"type":"http"` handlers and `curl` alike; Copilot's PascalCase events have the same form. */
export const claudeCode: HookMapping = { agent: 'claude-code', toEvents }

function toEvents(payload: HookPayload): MappedEvent[] {
  const name = payload.member('hook_event_name')
  if (typeof name !== 'string' || !name) {
    throw new InvalidEventError([{ path: 'hook_event_name', message: 'is required' }])
  }
  const sessionId = payload.member('session_id')
  const eventType = EVENT_TYPES.get(name) ?? snakeCase(name)
  const added = ADDED_DATA.get(name) ?? NOTHING
  const event: MappedEvent = { eventType, sessionId, withPayload: true, added }
  return name === 'UserPromptSubmit' ? [event, turnStarted(sessionId, payload)] : [event]
}

/** A prompt begins a turn, for which Claude Code has no event of its own; Stop or StopFailure ends it. */
function turnStarted(sessionId: unknown, payload: HookPayload): MappedEvent {
  const added = { scope: 'turn', prompt_id: payload.member('prompt_id') }
  return { eventType: EventType.AgentRequestStarted, sessionId, withPayload: false, added }
}

function snakeCase(name: string): EventType {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toLowerCase()
}
