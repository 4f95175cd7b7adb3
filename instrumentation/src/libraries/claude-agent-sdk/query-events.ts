import { EventType } from '@agentic-hooks/events'
import { isAbort } from '../../agents/error.ts'
import type { Operation } from '../../agents/operation.ts'
import type { AgentRecorder, ToolCall, Usage } from '../../agents/recorder.ts'
import type { Scope } from '../../scope.ts'
import type { HookInput, Message, PermissionResult } from './types.ts'

/** Tools that start an agent. */
const AGENT_TOOLS = new Set(['Agent', 'Task'])

/**
 * One `query`: a session of the command line, from its first message or hook to the end of its messages. What its
 * hooks tell in the course of it, its messages complete: usage and cost of a turn, and which tools were refused.
 */
export class QueryEvents {
  readonly #recorder: AgentRecorder
  /** Inside a tool of another library's agent. */
  readonly #isNested: boolean
  readonly #signal: AbortSignal | undefined
  readonly #tools = new Map<string, Operation>()
  readonly #refused = new Set<string>()
  readonly #subagents = new Map<string, Operation>()
  #scope: Scope | undefined
  #turn: Operation | undefined
  #initialized = false

  constructor(recorder: AgentRecorder, isNested: boolean, signal: AbortSignal | undefined) {
    this.#recorder = recorder
    this.#isNested = isNested
    this.#signal = signal
  }

  hook(input: HookInput): void {
    const scope = this.#scopeOf(input)
    const tool = { name: input.tool_name ?? '', id: input.tool_use_id, input: input.tool_input }
    switch (input.hook_event_name) {
      case 'UserPromptSubmit':
        this.#recorder.promptSubmitted(scope, input.prompt)
        this.#turn ??= this.#recorder.turn(scope)
        break
      case 'PreToolUse':
        if (!this.#refused.has(tool.id ?? ''))
          this.#tools.set(tool.id ?? '', this.#recorder.tool(scope, tool))
        break
      case 'PostToolUse':
        this.#endTool(input, { tool_response: this.#recorder.content(input.tool_response) })
        break
      case 'PostToolUseFailure':
        this.#endTool(input, {
          success: false,
          error: String(input.error),
          error_type: input.is_interrupt ? 'AbortError' : 'tool_error',
        })
        break
      case 'PermissionRequest':
        this.asked(tool)
        break
      case 'PermissionDenied':
        this.#refuse(scope, tool, input.reason)
        break
      case 'SubagentStart':
        this.#subagents.set(input.agent_id ?? '', this.#recorder.subagent(this.#subagentScope(scope, input)))
        break
      case 'SubagentStop':
        this.#endSubagent(input)
        break
      default:
        this.#other(scope, input)
    }
  }

  /** What a hook of the application answered. */
  decided(input: HookInput, decision: string, reason: string | undefined): void {
    const scope = this.#scopeOf(input)
    this.#recorder.event(scope, EventType.HookDecision, {
      hook_event_name: input.hook_event_name,
      tool_name: input.tool_name,
      tool_use_id: input.tool_use_id,
      decision,
      reason,
    })
    const refuses = decision === 'deny' || decision === 'block'
    if (!refuses || !input.tool_name || input.hook_event_name === 'PostToolUse') return
    this.#refuse(scope, { name: input.tool_name, id: input.tool_use_id, input: input.tool_input }, reason)
  }

  /** `canUseTool` of the application is being asked. */
  asked(tool: ToolCall): void {
    this.#recorder.event(this.#scopeOf({}), EventType.PermissionRequested, {
      tool_name: tool.name,
      tool_use_id: tool.id,
      tool_input: this.#recorder.content(tool.input),
    })
  }

  /** What it answered. */
  permitted(tool: ToolCall, { behavior, message }: PermissionResult): void {
    const scope = this.#scopeOf({})
    this.#recorder.event(scope, EventType.HookDecision, {
      hook_event_name: 'canUseTool',
      tool_name: tool.name,
      tool_use_id: tool.id,
      decision: behavior,
      reason: message,
    })
    if (behavior === 'deny') this.#refuse(scope, tool, message)
  }

  message(message: Message): void {
    if (message.type !== 'system' && message.type !== 'result') return
    const scope = this.#scopeOf(message)
    if (message.subtype === 'init') this.#begun(scope, message)
    else if (message.subtype === 'permission_denied' && message.tool_use_id) {
      const { tool_name, tool_use_id } = message
      const reason = typeof message.message === 'string' ? message.message : undefined
      this.#refuse(scope, { name: tool_name ?? '', id: tool_use_id }, reason)
    } else if (message.type === 'result') this.#answered(scope, message)
  }

  /** No message will come any more. */
  ended(error: unknown): void {
    const aborted = this.#signal?.aborted || isAbort(error)
    for (const operation of [...this.#tools.values(), ...this.#subagents.values(), this.#turn]) {
      if (error === undefined) operation?.abandon()
      else operation?.fail(error, { stop_reason: aborted ? 'aborted' : 'error' })
    }
    this.#turn = undefined
    if (this.#scope && !this.#isNested) {
      this.#recorder.completeSession(this.#scope.sessionId, error === undefined ? 'completed' : 'error')
    }
    this.#scope = undefined
  }

  /** Comes again with every turn. */
  #begun(scope: Scope, { model, cwd, tools, permissionMode, claude_code_version }: Message): void {
    if (this.#initialized) return
    this.#initialized = true
    this.#recorder.event(scope, 'agent_initialized', {
      model,
      cwd,
      tools,
      permission_mode: permissionMode,
      claude_code_version,
    })
  }

  #answered(scope: Scope, message: Message): void {
    for (const { tool_name, tool_use_id, tool_input } of message.permission_denials ?? []) {
      this.#refuse(scope, { name: tool_name, id: tool_use_id, input: tool_input }, undefined)
    }
    const failed = message.is_error || message.subtype !== 'success'
    this.#turn?.complete({
      ...(failed
        ? { success: false, error: message.errors?.join('\n') ?? message.result, error_type: message.subtype }
        : {}),
      stop_reason: message.stop_reason ?? message.subtype,
      num_turns: message.num_turns,
      duration_api_ms: message.duration_api_ms,
      total_cost_usd: message.total_cost_usd,
      usage: usageOf(message.usage),
      model_usage: message.modelUsage,
      response: this.#recorder.content(message.result),
    })
    this.#turn = undefined
  }

  #endTool(input: HookInput, data: Record<string, unknown>): void {
    const id = input.tool_use_id ?? ''
    const duration = input.duration_ms === undefined ? {} : { duration_ms: input.duration_ms }
    this.#tools.get(id)?.complete({ ...data, ...duration })
    this.#tools.delete(id)
  }

  /** The command line asks for permission after PreToolUse: then what started is the blocked call. */
  #refuse(scope: Scope, tool: ToolCall, reason: string | undefined): void {
    const id = tool.id ?? ''
    if (this.#refused.has(id)) return
    this.#refused.add(id)
    this.#tools.get(id)?.dismiss()
    this.#tools.delete(id)
    this.#recorder.toolBlocked(scope, tool, reason)
  }

  #endSubagent({ agent_id = '', last_assistant_message }: HookInput): void {
    this.#subagents.get(agent_id)?.complete({ response: this.#recorder.content(last_assistant_message) })
    this.#subagents.delete(agent_id)
  }

  #subagentScope(scope: Scope, { agent_id, agent_type }: HookInput): Scope {
    const starters = [...this.#tools.values()].filter(({ identity }) =>
      AGENT_TOOLS.has(String(identity.tool_name)),
    )
    // With several under way nothing tells which of them this one is.
    const toolUseId = starters.length === 1 ? String(starters[0]!.identity.tool_use_id) : scope.toolUseId
    return { ...scope, agentId: agent_id, agentName: agent_type, toolUseId }
  }

  #other(
    scope: Scope,
    { hook_event_name, session_id: _s, transcript_path: _t, ...payload }: HookInput,
  ): void {
    const eventType =
      EVENT_TYPES.get(hook_event_name) ?? hook_event_name.replace(/(?<=[a-z])[A-Z]/g, '_$&').toLowerCase()
    this.#recorder.event(scope, eventType, { ...this.#recorder.content(payload) })
  }

  #scopeOf({ session_id, agent_id, agent_type }: Partial<HookInput>): Scope {
    if (!this.#scope || (session_id && session_id !== this.#scope.sessionId && !this.#isNested)) {
      this.#scope = this.#recorder.scope(session_id && !this.#isNested ? { conversationId: session_id } : {})
    }
    if (agent_id === undefined) return this.#scope
    return (
      this.#subagents.get(agent_id)?.scope ?? { ...this.#scope, agentId: agent_id, agentName: agent_type }
    )
  }
}

const EVENT_TYPES = new Map<string, string>([
  ['PostCompact', EventType.ContextCompacted],
  ['Notification', EventType.SystemNotification],
  ['TaskCompleted', EventType.TaskCompleted],
  ['Stop', EventType.AgentStopped],
  ['StopFailure', EventType.AgentStopped],
])

function usageOf(usage: Message['usage']): Usage | undefined {
  if (!usage) return undefined
  return {
    input_tokens: usage.input_tokens ?? undefined,
    output_tokens: usage.output_tokens ?? undefined,
    cache_read_input_tokens: usage.cache_read_input_tokens ?? undefined,
    cache_creation_input_tokens: usage.cache_creation_input_tokens ?? undefined,
  }
}
