import { EventType } from './event.ts'

/** EventName of a hook event's log record is this prefix and the event type. */
export const EVENT_NAME_PREFIX = 'agentic_hooks.'

/** Attribute names on the wire, from the OpenTelemetry semantic conventions where those have one. */
export const Attribute = {
  /** Records with the same uid are duplicates (semantic conventions, log.record.uid). */
  EventId: 'log.record.uid',
  SessionId: 'session.id',
  GenAiConversationId: 'gen_ai.conversation.id',
  ConversationId: 'conversation.id',
  WorkflowId: 'agentic_hooks.workflow.id',
  PhaseId: 'agentic_hooks.phase.id',
  MilestoneId: 'agentic_hooks.milestone.id',
  Data: 'agentic_hooks.data',
  ToolName: 'gen_ai.tool.name',
  ToolCallId: 'gen_ai.tool.call.id',
  AgentId: 'gen_ai.agent.id',
  AgentName: 'gen_ai.agent.name',
  RequestModel: 'gen_ai.request.model',
  /** Deprecated in favour of the EventName field; still what many emitters send. */
  EventName: 'event.name',
} as const

/**
 * Keys of `data` that a hook event's log record repeats as flat attributes, so that any OpenTelemetry backend
 * can filter by them. The receiver drops these copies again: `data` has the value.
 */
export const MIRRORED_DATA_KEYS: Readonly<Record<string, string>> = {
  tool_name: Attribute.ToolName,
  tool_use_id: Attribute.ToolCallId,
  tool_call_id: Attribute.ToolCallId,
  agent_id: Attribute.AgentId,
  agent_name: Attribute.AgentName,
  model: Attribute.RequestModel,
}

/** OpenTelemetry severity numbers that hook events use. */
export const Severity = { Info: 9, Warn: 13, Error: 17 } as const

/** Severity of an event: blocked tools warn, failures are errors, the rest is information. */
export function severityOf(eventType: string, data: Readonly<Record<string, unknown>> | undefined): number {
  if (eventType === EventType.ToolBlocked) return Severity.Warn
  if (eventType === EventType.ErrorOccurred || data?.success === false) return Severity.Error
  return Severity.Info
}
