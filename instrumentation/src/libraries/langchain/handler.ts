import { parsedJson, plainText } from '../../agents/conversation.ts'
import { isAbort } from '../../agents/error.ts'
import type { Operation } from '../../agents/operation.ts'
import { type AgentRecorder, addUsage, type Usage } from '../../agents/recorder.ts'
import { type ActiveScope, activeScope, type Scope } from '../../scope.ts'
import { Approvals, isInterrupt } from './approvals.ts'
import {
  answerOf,
  type Generation,
  isToolMessage,
  lastUserText,
  type Message,
  messagesIn,
  newMessages,
  usageOf,
} from './messages.ts'

type Metadata = Readonly<Record<string, unknown>>

interface Serialized {
  readonly id?: readonly string[]
  readonly name?: string
}

/** What the model calls of a turn or subagent used, without those of the subagents in it. */
interface AgentTotals {
  usage?: Usage | undefined
}

interface Run {
  readonly scope: Scope
  readonly isTool: boolean
  readonly operation?: Operation | undefined
  /** The turn or subagent that it is part of. */
  readonly agent?: AgentTotals | undefined
  /** The tool results that it was given: in what it returns, they are no news. */
  readonly given?: ReadonlySet<string>
}

/** Names that LangChain gives to what the application did not name. */
const GENERIC_NAMES = new Set([
  'LangGraph',
  'RunnableSequence',
  'RunnableLambda',
  'RunnableMap',
  'RunnableParallel',
])

const HANDLER_NAME = 'agentic_hooks'

/** Also one that another copy of this package made. */
export function isHookEventsHandler(handler: unknown): handler is HookEventsHandler {
  return (handler as { name?: unknown } | undefined)?.name === HANDLER_NAME
}

const modelCalls = new WeakMap<ActiveScope, Operation>()

/** The model call that started in a scope of its own. */
export function modelCallIn(scope: Scope): Operation | undefined {
  return modelCalls.get(scope)
}

/**
 * The callback handler of one tree of runs, from the outermost run that LangChain starts. Its methods have the
 * names and arguments of LangChain's BaseCallbackHandler, which calls them in the order of what happens and waits
 * for each; what they throw it logs and ignores.
 */
export class HookEventsHandler {
  readonly name = HANDLER_NAME
  readonly awaitHandlers = true
  readonly raiseError = false
  readonly ignoreLLM = false
  readonly ignoreChain = false
  readonly ignoreAgent = false
  readonly ignoreRetriever = true
  readonly ignoreCustomEvent = true
  /** Of the outermost run. */
  readonly scope: Scope
  readonly #recorder: AgentRecorder
  readonly #runs = new Map<string, Run>()
  readonly #approvals: Approvals

  constructor(recorder: AgentRecorder, scope: Scope) {
    this.#recorder = recorder
    this.#approvals = new Approvals(recorder)
    this.scope = scope
  }

  copy(): this {
    return this
  }

  handleChainStart(
    _chain: Serialized,
    inputs: unknown,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    metadata?: Metadata,
    _runType?: string,
    runName?: string,
  ): void {
    const parent = parentRunId === undefined ? undefined : this.#runs.get(parentRunId)
    const given = new Set(
      messagesIn(inputs)
        .filter(isToolMessage)
        .map((message) => message.tool_call_id),
    )
    if (parent && !parent.isTool) {
      this.#runs.set(runId, { scope: parent.scope, isTool: false, agent: parent.agent, given })
      return
    }
    const agentName = agentNameOf(metadata) ?? (runName && !GENERIC_NAMES.has(runName) ? runName : undefined)
    const around = parent?.scope ?? this.scope
    const isSubagent = around.toolUseId !== undefined
    const scope: Scope = isSubagent
      ? { ...around, agentId: runId, agentName: agentName ?? around.toolName, parentAgentId: around.agentId }
      : { ...around, agentName: agentName ?? around.agentName }
    if (!isSubagent) this.#begun(scope, inputs)
    const operation = isSubagent ? this.#recorder.subagent(scope) : this.#recorder.turn(scope)
    this.#runs.set(runId, { scope, isTool: false, operation, agent: {}, given })
  }

  handleChainEnd(outputs: unknown, runId: string): void {
    const run = this.#end(runId)
    if (run && !run.operation) this.#approvals.findRefusals(run.scope, run.given, outputs)
    if (!run?.operation) return
    const answer = this.#approvals.isInterrupted ? undefined : plainText(messagesIn(outputs).at(-1)?.content)
    run.operation.complete({
      stop_reason: this.#approvals.isInterrupted ? 'interrupted' : 'completed',
      usage: run.agent?.usage,
      response: this.#recorder.content(answer),
    })
  }

  handleChainError(error: unknown, runId: string): void {
    const run = this.#end(runId)
    if (!run) return
    if (isInterrupt(error)) this.#approvals.asked(run.scope, error)
    const usage = run.agent?.usage
    if (isBubbleUp(error)) {
      run.operation?.complete({
        stop_reason: this.#approvals.isInterrupted ? 'interrupted' : 'completed',
        usage,
      })
    } else run.operation?.fail(error, { stop_reason: stopReason(error), usage })
  }

  handleChatModelStart(
    llm: Serialized,
    messages: readonly (readonly Message[])[],
    runId: string,
    parentRunId?: string,
    extraParams?: { readonly invocation_params?: Metadata },
    _tags?: string[],
    metadata?: Metadata,
  ): void {
    this.#startModelCall(llm, newMessages(messages[0]), runId, parentRunId, extraParams, metadata)
  }

  handleLLMStart(
    llm: Serialized,
    prompts: readonly string[],
    runId: string,
    parentRunId?: string,
    extraParams?: { readonly invocation_params?: Metadata },
    _tags?: string[],
    metadata?: Metadata,
  ): void {
    this.#startModelCall(llm, prompts[0], runId, parentRunId, extraParams, metadata)
  }

  handleLLMEnd(output: { readonly generations: readonly (readonly Generation[])[] }, runId: string): void {
    const generation = output.generations[0]?.[0]
    const message = generation?.message
    for (const { id, name, args } of message?.tool_calls ?? []) {
      if (id) this.#approvals.requested({ name, id, input: args })
    }
    const response = { ...generation?.generationInfo, ...message?.response_metadata }
    const usage = usageOf(message?.usage_metadata)
    const run = this.#end(runId)
    if (run?.agent) run.agent.usage = addUsage(run.agent.usage, usage)
    run?.operation?.complete({
      response_model: response.model_name ?? response.model,
      response_id: message?.id,
      stop_reason: response.finish_reason ?? response.stop_reason,
      usage,
      output: this.#recorder.content(answerOf(generation)),
    })
  }

  handleLLMError(error: unknown, runId: string): void {
    this.#end(runId)?.operation?.fail(error, { stop_reason: stopReason(error) })
  }

  handleToolStart(
    tool: Serialized,
    input: string,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    metadata?: Metadata,
    runName?: string,
    toolCallId?: string,
  ): void {
    const scope = this.#scopeOf(parentRunId, metadata)
    const name = runName ?? tool.name ?? tool.id?.at(-1) ?? 'tool'
    const id = toolCallId ?? runId
    this.#approvals.started(id)
    const operation = this.#recorder.tool(scope, { name, id, input: parsedJson(input) })
    this.#runs.set(runId, { scope: { ...scope, toolUseId: id, toolName: name }, isTool: true, operation })
  }

  handleToolEnd(output: unknown, runId: string): void {
    const operation = this.#end(runId)?.operation
    const message = output as Partial<Message> | undefined
    const answer =
      typeof output === 'object' && output !== null && 'content' in output ? message?.content : output
    const tool_response = this.#recorder.content(plainText(answer))
    if (message?.status !== 'error') operation?.complete({ tool_response })
    else
      operation?.complete({ success: false, error: tool_response, error_type: 'tool_error', tool_response })
  }

  handleToolError(error: unknown, runId: string): void {
    const run = this.#end(runId)
    if (isInterrupt(error)) {
      this.#approvals.asked(run?.scope ?? this.scope, error)
      run?.operation?.complete({ success: false, error: 'The tool asked and waits', error_type: error.name })
    } else run?.operation?.fail(error)
  }

  #startModelCall(
    llm: Serialized,
    input: unknown,
    runId: string,
    parentRunId: string | undefined,
    extraParams: { readonly invocation_params?: Metadata } | undefined,
    metadata: Metadata | undefined,
  ): void {
    const scope = this.#scopeOf(parentRunId, metadata)
    const { model, model_name } = extraParams?.invocation_params ?? {}
    const operation = this.#recorder.modelCall(scope, {
      model: text(metadata?.ls_model_name) ?? text(model) ?? text(model_name) ?? llm.id?.at(-1),
      provider: text(metadata?.ls_provider),
      input,
    })
    const around = activeScope()
    if (around?.inModelCall) modelCalls.set(around, operation)
    const agent = this.#runs.get(parentRunId ?? '')?.agent
    this.#runs.set(runId, { scope, isTool: false, operation, agent })
  }

  #begun(scope: Scope, inputs: unknown): void {
    const prompt = lastUserText(inputs)
    if (prompt !== undefined) this.#recorder.promptSubmitted(scope, prompt)
    this.#approvals.decided(scope, inputs)
  }

  #scopeOf(parentRunId: string | undefined, metadata: Metadata | undefined): Scope {
    const scope = (parentRunId === undefined ? undefined : this.#runs.get(parentRunId)?.scope) ?? this.scope
    const agentName = agentNameOf(metadata)
    return agentName === undefined || agentName === scope.agentName ? scope : { ...scope, agentName }
  }

  #end(runId: string): Run | undefined {
    const run = this.#runs.get(runId)
    this.#runs.delete(runId)
    return run
  }
}

function agentNameOf(metadata: Metadata | undefined): string | undefined {
  return text(metadata?.lc_agent_name)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** LangGraph's own error for a run that was aborted has no name. */
function stopReason(error: unknown): string {
  return isAbort(error) || (error as Error | undefined)?.message === 'Abort' ? 'aborted' : 'error'
}

/** How LangGraph leaves a node early on purpose. */
function isBubbleUp(error: unknown): boolean {
  return error instanceof Error && 'is_bubble_up' in error && error.is_bubble_up === true
}
