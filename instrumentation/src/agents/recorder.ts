import { EventType, type HookEvent } from '@agentic-hooks/events'
import { environmentSessionIdResolver } from '../options/environment.ts'
import type { SessionContext, SessionIdResolver } from '../options/types.ts'
import { activeScope, type Scope, scopeStorage } from '../scope.ts'
import { joined } from './data.ts'
import { Operation, OperationKind } from './operation.ts'
import { sessions } from './sessions.ts'

/** Whoever takes events: a HookClient, or OpenTelemetry's logs API. `emit` returns at once and never throws. */
export interface Emitter {
  emit(event: HookEvent): void
}

export interface RecorderOptions {
  readonly framework: string
  readonly emitter: Emitter
  /** Whether prompts, answers, tool inputs and outputs are part of the events. */
  readonly captureContent: boolean
  /** Default: the one that the environment names. */
  readonly resolveSessionId?: SessionIdResolver | undefined
}

export interface ToolCall {
  readonly name: string
  readonly id?: string | undefined
  readonly input?: unknown
}

/** What OpenTelemetry's conventions call gen_ai.usage; undefined where a library does not tell. */
export interface Usage {
  readonly input_tokens?: number | undefined
  readonly output_tokens?: number | undefined
  readonly cache_read_input_tokens?: number | undefined
  readonly cache_creation_input_tokens?: number | undefined
  readonly reasoning_output_tokens?: number | undefined
  readonly total_tokens?: number | undefined
}

export function addUsage(sum: Usage | undefined, more: Usage | undefined): Usage | undefined {
  if (!sum || !more) return sum ?? more
  const total: Record<string, number | undefined> = { ...sum }
  for (const [key, count] of Object.entries(more))
    if (count !== undefined) total[key] = (total[key] ?? 0) + count
  return total
}

/** The one way in which every library's instrumentation speaks: what it saw, as hook events. */
export class AgentRecorder {
  readonly framework: string
  readonly #options: RecorderOptions
  readonly #resolveSessionId: SessionIdResolver | undefined
  readonly #emit: (event: HookEvent) => void

  constructor(options: RecorderOptions) {
    this.framework = options.framework
    this.#options = options
    this.#resolveSessionId = options.resolveSessionId ?? environmentSessionIdResolver()
    this.#emit = (event) => options.emitter.emit(event)
  }

  /**
   * The scope of a call that begins here. Its session is, in this order: what the resolver says, the library's
   * own conversation, that of the code around (an agent, or `client.session`), the process's.
   */
  scope(
    context: Omit<SessionContext, 'framework'> = {},
    agent: { readonly id?: string | undefined; readonly name?: string | undefined } = {},
  ): Scope {
    const around = activeScope()
    const sessionId =
      this.#resolveSessionId?.({ framework: this.framework, ...context }) ??
      context.conversationId ??
      around?.sessionId ??
      sessions.processSessionId
    return {
      sessionId,
      workflowId: around?.workflowId,
      phaseId: around?.phaseId,
      milestoneId: around?.milestoneId,
      agentId: agent.id ?? around?.agentId,
      agentName: agent.name ?? (agent.id ? undefined : around?.agentName),
      parentAgentId: agent.id ? around?.agentId : around?.parentAgentId,
      toolUseId: around?.toolUseId,
      toolName: around?.toolName,
    }
  }

  /** The value itself, or nothing where content is not to be captured. */
  content<T>(value: T): T | undefined {
    return this.#options.captureContent ? value : undefined
  }

  promptSubmitted(scope: Scope, prompt: unknown): void {
    this.event(scope, EventType.UserPromptSubmitted, { prompt: this.content(prompt) })
  }

  /** From a prompt to its answer. */
  turn(scope: Scope, data: Record<string, unknown> = {}): Operation {
    return this.#start(OperationKind.Turn, scope, { request_id: crypto.randomUUID(), ...data })
  }

  /** One request to a model. `input` is what is new in it, not the whole conversation again. */
  modelCall(
    scope: Scope,
    call: { model?: string | undefined; provider?: string | undefined; input?: unknown; streaming?: boolean },
  ): Operation {
    return this.#start(
      OperationKind.ModelCall,
      scope,
      { request_id: crypto.randomUUID(), model: call.model, provider: call.provider },
      { input: this.content(call.input), streaming: call.streaming || undefined },
    )
  }

  tool(scope: Scope, tool: ToolCall, data: Record<string, unknown> = {}): Operation {
    const tool_use_id = tool.id ?? crypto.randomUUID()
    const identity = { tool_name: tool.name, tool_use_id, ...data }
    return this.#start(OperationKind.Tool, scope, identity, { tool_input: this.content(tool.input) })
  }

  /** A tool call that somebody refused: it never started. */
  toolBlocked(scope: Scope, tool: ToolCall, reason: string | undefined): void {
    this.event(scope, EventType.ToolBlocked, {
      tool_name: tool.name,
      tool_use_id: tool.id,
      tool_input: this.content(tool.input),
      reason: reason ?? 'not approved',
    })
  }

  /** An agent's run inside another agent's tool call; `scope` is its own, see {@link scope}. */
  subagent(scope: Scope, data: Record<string, unknown> = {}): Operation {
    return this.#start(OperationKind.Subagent, scope, data)
  }

  event(scope: Scope, eventType: EventType, data: Record<string, unknown>): void {
    this.#open(scope)
    const event = { eventType, sessionId: scope.sessionId, data: joined(this.#about(scope), data) }
    scopeStorage.run(scope, this.#emit, event)
  }

  completeSession(sessionId: string, reason: string, data?: Record<string, unknown>): void {
    sessions.complete(sessionId, reason, data)
  }

  #start(
    kind: OperationKind,
    scope: Scope,
    identity: Record<string, unknown>,
    details: Record<string, unknown> = {},
  ): Operation {
    this.#open(scope)
    return new Operation(kind, scope, joined(this.#about(scope), identity), details, this.#emit)
  }

  #open(scope: Scope): void {
    scopeStorage.run(scope, () => sessions.touch(scope.sessionId, this.#emit, { framework: this.framework }))
  }

  #about(scope: Scope): Record<string, unknown> {
    return {
      framework: this.framework,
      agent_id: scope.agentId,
      agent_name: scope.agentName,
      parent_agent_id: scope.parentAgentId,
      parent_tool_use_id: scope.toolUseId,
    }
  }
}

/** The messages after the last answer: what a request adds to the conversation. */
export function newMessages<T extends { readonly role?: unknown }>(
  messages: readonly T[] | undefined,
): readonly T[] {
  if (!Array.isArray(messages)) return []
  const answered = messages.findLastIndex(({ role }) => role === 'assistant' || role === 'model')
  return messages.slice(answered + 1)
}
