import { type EventData, EventType, InvalidEventError } from '@agentic-hooks/events'
import type { HookMapping, MappedEvent } from './hook-mapping.ts'

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

/** Hooks of Claude Code, `"type":"http"` handlers and `curl` alike; Copilot's PascalCase events have the same form. */
export const claudeCode: HookMapping = { agent: 'claude-code', toEvents }

function toEvents(payload: EventData): MappedEvent[] {
  const name = payload.hook_event_name
  if (typeof name !== 'string' || !name) {
    throw new InvalidEventError([{ path: 'hook_event_name', message: 'is required' }])
  }
  const eventType = EVENT_TYPES.get(name) ?? snakeCase(name)
  const event: MappedEvent = {
    eventType,
    sessionId: payload.session_id,
    data: { ...payload, ...ADDED_DATA.get(name) },
  }
  return name === 'UserPromptSubmit' ? [event, turnStarted(event, payload)] : [event]
}

/** A prompt begins a turn, for which Claude Code has no event of its own; Stop or StopFailure ends it. */
function turnStarted({ sessionId }: MappedEvent, { prompt_id }: EventData): MappedEvent {
  return { eventType: EventType.AgentRequestStarted, sessionId, data: { scope: 'turn', prompt_id } }
}

function snakeCase(name: string): EventType {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toLowerCase()
}
