import { EventType } from '@agentic-hooks/events'
import { BoundedMap } from '../../agents/bounded-map.ts'
import { conversationIdIn, plainText } from '../../agents/conversation.ts'
import { isAbort } from '../../agents/error.ts'
import type { Operation } from '../../agents/operation.ts'
import { type AgentRecorder, newMessages, type ToolCall } from '../../agents/recorder.ts'
import { activeScope, insideModelCall, insideTool, type Scope } from '../../scope.ts'
import { usageOf } from './usage.ts'

/** What the channel `ai:telemetry` publishes: the same object at the start and at the end. */
export interface TelemetryMessage {
  readonly type: string
  readonly event: TelemetryEvent
  readonly result?: unknown
  readonly error?: unknown
}

/** The members of the SDK's events that are read here. */
interface TelemetryEvent {
  readonly callId: string
  readonly functionId?: string
  readonly provider?: string
  readonly modelId?: string
  readonly messages?: readonly Message[]
  readonly runtimeContext?: Readonly<Record<string, unknown>>
  readonly toolCall?: SdkToolCall
  readonly toolOutput?: Part
  readonly content?: readonly Part[]
  readonly finishReason?: string | { unified?: string }
  readonly usage?: unknown
  readonly text?: string
  readonly responseId?: string
}

interface SdkToolCall {
  readonly toolCallId: string
  readonly toolName: string
  readonly input?: unknown
}

interface Message {
  readonly role: string
  readonly content: unknown
}

interface Part extends Partial<SdkToolCall> {
  readonly type: string
  readonly output?: unknown
  readonly error?: unknown
  readonly approvalId?: string
  readonly approved?: boolean
  readonly isAutomatic?: boolean
  readonly reason?: string
  readonly toolCall?: SdkToolCall
}

/** A stream that nobody reads to its end stays open; beyond this many the oldest is given up. */
const MAX_OPEN_CALLS = 10_000

/** One generateText or streamText. */
interface Call {
  readonly scope: Scope
  /** The turn, or the subagent when it runs inside a tool. */
  readonly run: Operation
  readonly streaming: boolean
  readonly tools: Map<string, Operation>
  readonly approvals: Set<string>
  modelCall?: Operation
}

/**
 * Follows the SDK's calls from its telemetry. Both of its sources end in the same operations, of which the first
 * to tell of an end completes: the integration's, which know more, come first where they come at all.
 */
export class AiCalls {
  readonly #recorder: () => AgentRecorder | undefined
  readonly #calls = new BoundedMap<string, Call>(MAX_OPEN_CALLS, ({ run }) => run.abandon())
  readonly #modelCalls = new WeakMap<TelemetryMessage, Operation>()

  constructor(recorder: () => AgentRecorder | undefined) {
    this.#recorder = recorder
  }

  /** The scope for what the SDK does next, or undefined when it stays what it is. */
  start(message: TelemetryMessage): Scope | undefined {
    const recorder = this.#recorder()
    if (!recorder) return undefined
    switch (message.type) {
      case 'generateText':
      case 'streamText':
        return this.#startCall(recorder, message)
      case 'languageModelCall':
        return this.#startModelCall(recorder, message)
      case 'executeTool':
        return this.#startTool(recorder, message)
      default:
        return undefined
    }
  }

  end(message: TelemetryMessage): void {
    const { type, error } = message
    const result = message.result as TelemetryEvent | undefined
    const { callId } = message.event
    const call = this.#calls.get(callId)
    if (!call) return
    switch (type) {
      case 'generateText':
      case 'streamText':
        if (error === undefined) this.#complete(callId, call, result)
        else this.#fail(callId, call, error)
        break
      case 'step':
        if (result?.content) this.stepEnded({ ...result, callId, content: result.content })
        if (call.streaming) call.modelCall?.complete()
        break
      case 'languageModelCall':
        if (error !== undefined) this.#modelCalls.get(message)?.fail(error)
        else if (!call.streaming) this.#completeModelCall(this.#modelCalls.get(message), result)
        break
      case 'executeTool': {
        const tool = call.tools.get(message.event.toolCall?.toolCallId ?? '')
        const output = (result as { output?: Part } | undefined)?.output
        if (error === undefined) this.#completeTool(tool, output)
        else tool?.fail(error)
      }
    }
  }

  modelCallEnded(event: TelemetryEvent): void {
    this.#completeModelCall(this.#calls.get(event.callId)?.modelCall, event)
  }

  toolEnded({ callId, toolCall, toolOutput }: TelemetryEvent): void {
    this.#completeTool(this.#calls.get(callId)?.tools.get(toolCall?.toolCallId ?? ''), toolOutput)
  }

  /** The step's content tells of the tools that nobody executed here: refused, to be approved, invalid, remote. */
  stepEnded({ callId, content }: TelemetryEvent): void {
    const call = this.#calls.get(callId)
    const recorder = this.#recorder()
    if (!call || !recorder) return
    for (const part of content ?? []) {
      if (part.approvalId && part.toolCall) this.#approval(recorder, call, part)
      else if (part.type === 'tool-result' || part.type === 'tool-error')
        this.#remoteTool(recorder, call, part)
    }
  }

  ended(event: TelemetryEvent): void {
    const call = this.#calls.get(event.callId)
    if (call) this.#complete(event.callId, call, event)
  }

  #startCall(recorder: AgentRecorder, { type, event }: TelemetryMessage): Scope {
    const { callId, functionId, messages, runtimeContext, modelId } = event
    const toolAround = activeScope()?.toolName
    const scope = recorder.scope(
      { conversationId: conversationIdIn(runtimeContext), metadata: runtimeContext },
      toolAround === undefined ? { name: functionId } : { id: callId, name: functionId ?? toolAround },
    )
    const last = messages?.at(-1)
    if (toolAround === undefined && last?.role === 'user')
      recorder.promptSubmitted(scope, plainText(last.content))
    const run =
      toolAround === undefined
        ? recorder.turn(scope, { model: modelId })
        : recorder.subagent(scope, { model: modelId })
    const streaming = type === 'streamText'
    this.#calls.set(callId, { scope, run, streaming, tools: new Map(), approvals: new Set() })
    for (const { tool, reason } of refusals(messages)) recorder.toolBlocked(scope, tool, reason)
    return scope
  }

  #startModelCall(recorder: AgentRecorder, message: TelemetryMessage): Scope | undefined {
    const { callId, modelId, provider, messages } = message.event
    const call = this.#calls.get(callId)
    if (!call) return undefined
    call.modelCall = recorder.modelCall(call.scope, {
      model: modelId,
      provider,
      input: newMessages(messages),
      streaming: call.streaming,
    })
    this.#modelCalls.set(message, call.modelCall)
    return insideModelCall(call.scope)
  }

  #completeModelCall(modelCall: Operation | undefined, end: TelemetryEvent | undefined): void {
    const { finishReason } = end ?? {}
    modelCall?.complete({
      response_model: end?.modelId,
      response_id: end?.responseId,
      stop_reason: typeof finishReason === 'object' ? finishReason.unified : finishReason,
      usage: usageOf(end?.usage),
      output: this.#recorder()?.content(end?.content),
    })
  }

  #startTool(recorder: AgentRecorder, { event }: TelemetryMessage): Scope | undefined {
    const call = this.#calls.get(event.callId)
    if (!call || !event.toolCall) return undefined
    const tool = toolCall(event.toolCall)
    call.tools.set(event.toolCall.toolCallId, recorder.tool(call.scope, tool))
    return insideTool(call.scope, tool)
  }

  #completeTool(tool: Operation | undefined, output: Part | undefined): void {
    if (output?.type === 'tool-error') tool?.fail(output.error)
    else tool?.complete({ tool_response: this.#recorder()?.content(output?.output) })
  }

  #approval(recorder: AgentRecorder, call: Call, part: Part): void {
    const key = `${part.type}:${part.approvalId}`
    if (call.approvals.has(key)) return
    call.approvals.add(key)
    const tool = toolCall(part.toolCall!)
    if (part.type === 'tool-approval-response' && part.approved === false) {
      recorder.toolBlocked(call.scope, tool, part.reason)
    } else if (part.type === 'tool-approval-request' && !part.isAutomatic) {
      recorder.event(call.scope, EventType.PermissionRequested, {
        tool_name: tool.name,
        tool_use_id: tool.id,
        tool_input: recorder.content(tool.input),
      })
    }
  }

  #remoteTool(recorder: AgentRecorder, call: Call, part: Part): void {
    if (!part.toolCallId || !part.toolName || call.tools.has(part.toolCallId)) return
    const tool = recorder.tool(call.scope, toolCall(part as SdkToolCall))
    call.tools.set(part.toolCallId, tool)
    this.#completeTool(tool, part)
  }

  #complete(callId: string, call: Call, end: TelemetryEvent | undefined): void {
    this.#calls.delete(callId)
    call.modelCall?.complete()
    for (const tool of call.tools.values()) tool.complete()
    const { finishReason } = end ?? {}
    call.run.complete({
      stop_reason: typeof finishReason === 'string' ? finishReason : undefined,
      usage: usageOf(end?.usage),
      response: this.#recorder()?.content(end?.text),
    })
  }

  #fail(callId: string, call: Call, error: unknown): void {
    this.#calls.delete(callId)
    const stopped = { stop_reason: isAbort(error) ? 'aborted' : 'error' }
    call.modelCall?.fail(error, stopped)
    for (const tool of call.tools.values()) tool.fail(error)
    call.run.fail(error, stopped)
  }
}

function toolCall({ toolName, toolCallId, input }: SdkToolCall): ToolCall {
  return { name: toolName, id: toolCallId, input }
}

/** The tool calls that the prompt's last message says the user refused. */
function refusals(messages: readonly Message[] = []): { tool: ToolCall; reason: string | undefined }[] {
  const last = messages.at(-1)
  if (last?.role !== 'tool' || !Array.isArray(last.content)) return []
  const parts = messages.flatMap(({ content }) => (Array.isArray(content) ? (content as Part[]) : []))
  return (last.content as Part[])
    .filter(({ type, approved }) => type === 'tool-approval-response' && approved === false)
    .flatMap(({ approvalId, reason }) => {
      const request = parts.find(
        (part) => part.type === 'tool-approval-request' && part.approvalId === approvalId,
      )
      const call = parts.find((part) => part.type === 'tool-call' && part.toolCallId === request?.toolCallId)
      return call ? [{ tool: toolCall(call as SdkToolCall), reason }] : []
    })
}
