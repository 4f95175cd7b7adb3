import { EventType } from '@agentic-hooks/events'
import { plainText } from '../../agents/conversation.ts'
import type { AgentRecorder, ToolCall } from '../../agents/recorder.ts'
import type { Scope } from '../../scope.ts'
import { isToolMessage, messagesIn } from './messages.ts'

/** LangGraph's way to stop and ask: thrown in a node or a tool, and through everything around it. */
export interface Interrupt extends Error {
  readonly interrupts?: readonly { readonly value?: unknown }[]
}

interface ActionRequest {
  readonly name: string
  readonly args?: unknown
}

export function isInterrupt(error: unknown): error is Interrupt {
  return error instanceof Error && error.name === 'GraphInterrupt'
}

/**
 * Which of the tool calls that models ask for were run, asked about and refused. LangChain tells of no refusal:
 * it is a call that is answered with an error although no tool ran.
 */
export class Approvals {
  readonly #recorder: AgentRecorder
  /** By the call's id. */
  readonly #requested = new Map<string, ToolCall>()
  readonly #started = new Set<string>()
  readonly #refused = new Set<string>()
  readonly #asked = new WeakSet<Interrupt>()

  constructor(recorder: AgentRecorder) {
    this.#recorder = recorder
  }

  /** Whether the run has stopped to ask. */
  isInterrupted = false

  requested(call: ToolCall & { readonly id: string }): void {
    this.#requested.set(call.id, call)
  }

  started(id: string): void {
    this.#started.add(id)
  }

  asked(scope: Scope, interrupt: Interrupt): void {
    this.isInterrupted = true
    if (this.#asked.has(interrupt)) return
    this.#asked.add(interrupt)
    for (const { value } of interrupt.interrupts ?? []) {
      const { actionRequests } = (value ?? {}) as { actionRequests?: ActionRequest[] }
      const requests = actionRequests?.map(({ name, args }) => ({
        tool_name: name,
        tool_use_id: [...this.#requested.values()].find((call) => call.name === name)?.id,
        tool_input: this.#recorder.content(args),
      }))
      for (const data of requests ?? [{ question: this.#recorder.content(value) }]) {
        this.#recorder.event(scope, EventType.PermissionRequested, data)
      }
    }
  }

  /** What was answered comes as the input of the run that goes on. */
  decided(scope: Scope, inputs: unknown): void {
    const decisions = (inputs as { resume?: { decisions?: unknown } } | undefined)?.resume?.decisions
    for (const { type, message } of Array.isArray(decisions) ? decisions : []) {
      this.#recorder.event(scope, EventType.HookDecision, { decision: type, reason: message })
    }
  }

  /** @param given the calls whose answers the run was given: in what it returns, they are no news */
  findRefusals(scope: Scope, given: ReadonlySet<string> | undefined, outputs: unknown): void {
    for (const message of messagesIn(outputs).filter(isToolMessage)) {
      const id = message.tool_call_id
      if (message.status !== 'error' || given?.has(id) || this.#started.has(id) || this.#refused.has(id))
        continue
      this.#refused.add(id)
      const requested = this.#requested.get(id)
      const tool = { name: message.name ?? requested?.name ?? 'tool', id, input: requested?.input }
      this.#recorder.toolBlocked(scope, tool, String(plainText(message.content)))
    }
  }
}
