import { EventType } from '@agentic-hooks/events'
import { parsedJson } from '../../agents/conversation.ts'
import { isAbort, quietly } from '../../agents/error.ts'
import type { Operation } from '../../agents/operation.ts'
import { type AgentRecorder, addUsage, type ToolCall, type Usage } from '../../agents/recorder.ts'
import { type ActiveScope, activeScope, insideTool, type Scope } from '../../scope.ts'
import type { Agent, ApprovalItem, RunResult, RunState, Tool, ToolCallItem } from './types.ts'

const runs = new WeakMap<ActiveScope, AgentRun>()

/** The run whose code is running, but not inside one of its tools. */
export function currentRun(): AgentRun | undefined {
  const scope = activeScope()
  return scope && runs.get(scope)
}

/** What the SDK puts in the place of a tool's answer when the tool threw and nobody said otherwise. */
const DEFAULT_TOOL_ERROR = 'An error occurred while running the tool.'

/** Interruptions that have been reported: a run can be resumed with some of them still undecided. */
const asked = new WeakSet<ToolCallItem>()
const refused = new WeakSet<ToolCallItem>()

/** One `Runner.run`: a turn, or a subagent where it runs inside another agent's tool. */
export class AgentRun {
  /** Of the run as a whole; what the code in it runs in. */
  readonly scope: Scope
  readonly recorder: AgentRecorder
  readonly #isNested: boolean
  readonly #capturesContent: boolean
  readonly #tools = new Map<string, { readonly operation: Operation; readonly scope: Scope }>()
  #operation: Operation | undefined
  /** Of its own model calls; the SDK adds those of nested runs. */
  #usage: Usage | undefined
  /** The scope for events: its agent changes with each handoff. */
  #agentScope: Scope

  constructor(
    recorder: AgentRecorder,
    agent: Agent,
    conversationId: string | undefined,
    options: { readonly isNested: boolean; readonly capturesContent: boolean },
  ) {
    this.recorder = recorder
    this.#isNested = options.isNested
    this.#capturesContent = options.capturesContent
    const id = options.isNested ? crypto.randomUUID() : undefined
    this.scope = recorder.scope(conversationId === undefined ? {} : { conversationId }, {
      id,
      name: agent.name,
    })
    this.#agentScope = this.scope
    runs.set(this.scope, this)
  }

  get agentScope(): Scope {
    return this.#agentScope
  }

  begin(): void {
    this.#operation = this.#isNested ? this.recorder.subagent(this.scope) : this.recorder.turn(this.scope)
  }

  content<T>(value: T): T | undefined {
    return this.#capturesContent ? this.recorder.content(value) : undefined
  }

  prompted(prompt: unknown): void {
    if (prompt !== undefined) this.recorder.promptSubmitted(this.scope, this.content(prompt))
  }

  /** Reports the tool calls of an interrupted run that were refused before it goes on. */
  refuse(state: RunState): void {
    for (const item of state.getInterruptions()) {
      const tool = this.#interrupted(item)
      const call = { toolName: tool.name, callId: tool.id ?? '' }
      if (refused.has(item.rawItem) || state._context.isToolApproved?.(call) !== false) continue
      refused.add(item.rawItem)
      const reason = state._context.getRejectionMessage?.(call.toolName, call.callId)
      this.recorder.toolBlocked(this.scope, tool, reason)
    }
  }

  agentStarted(agent: Agent): void {
    this.#agentScope = { ...this.scope, agentName: agent.name }
  }

  handedOff(from: Agent, to: Agent): void {
    this.recorder.event(this.#agentScope, 'agent_handoff', { from_agent: from.name, to_agent: to.name })
  }

  used(usage: Usage | undefined): void {
    this.#usage = addUsage(this.#usage, usage)
  }

  toolStarted(tool: Tool, toolCall: ToolCallItem): void {
    const call = { name: tool.name, id: idOf(toolCall), input: this.content(parsedJson(toolCall.arguments)) }
    const operation = this.recorder.tool(this.#agentScope, call)
    this.#tools.set(call.id, { operation, scope: insideTool(this.#agentScope, call) })
  }

  /** The scope of what runs inside a tool call that has started. */
  scopeOf(toolCall: ToolCallItem | undefined): Scope | undefined {
    return toolCall && this.#tools.get(idOf(toolCall))?.scope
  }

  toolEnded(toolCall: ToolCallItem, output: unknown, traceError: string | undefined): void {
    const id = idOf(toolCall)
    const operation = this.#tools.get(id)?.operation
    this.#tools.delete(id)
    const tool_response = this.content(output)
    const failed = traceError ?? (typeof output === 'string' && output.startsWith(DEFAULT_TOOL_ERROR))
    if (!failed) operation?.complete({ tool_response })
    else {
      const error = typeof tool_response === 'string' ? tool_response : (traceError ?? DEFAULT_TOOL_ERROR)
      operation?.complete({ success: false, error, error_type: 'tool_error', tool_response })
    }
  }

  /** A streamed run goes on after its result is there. */
  follow(result: RunResult): void {
    if (!result.completed) this.#complete(result)
    else {
      result.completed.then(
        () => quietly(() => this.#complete(result)),
        (error) => quietly(() => this.fail(error)),
      )
    }
  }

  fail(error: unknown): void {
    for (const { operation } of this.#tools.values()) operation.fail(error)
    this.#operation?.fail(error, { stop_reason: isAbort(error) ? 'aborted' : 'error', usage: this.#usage })
  }

  #complete(result: RunResult): void {
    const { interruptions = [], cancelled } = result
    for (const { operation } of this.#tools.values()) operation.abandon()
    for (const item of interruptions) this.#askedFor(item)
    const usage = this.#usage
    if (cancelled) {
      const aborted = { success: false, error: 'The run was aborted', error_type: 'AbortError' }
      this.#operation?.complete({ ...aborted, stop_reason: 'aborted', usage })
      return
    }
    this.#operation?.complete({
      stop_reason: interruptions.length > 0 ? 'interrupted' : 'completed',
      usage,
      response: interruptions.length > 0 ? undefined : this.content(result.finalOutput),
    })
  }

  #askedFor(item: ApprovalItem): void {
    if (asked.has(item.rawItem)) return
    asked.add(item.rawItem)
    const tool = this.#interrupted(item)
    this.recorder.event(this.#agentScope, EventType.PermissionRequested, {
      tool_name: tool.name,
      tool_use_id: tool.id,
      tool_input: tool.input,
    })
  }

  #interrupted({ rawItem, name, toolName }: ApprovalItem): ToolCall {
    const input = this.content(parsedJson(rawItem.arguments))
    return { name: toolName ?? name ?? rawItem.name ?? '', id: idOf(rawItem), input }
  }
}

function idOf({ callId, id }: ToolCallItem): string {
  return callId ?? id ?? ''
}
