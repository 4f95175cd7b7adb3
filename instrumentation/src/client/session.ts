import { type EventData, EventType, uuidv7 } from '@agentic-hooks/events'
import { type AmbientIds, ambient, recordedSessions } from '../ambient.ts'
import type { EmittedEvent } from '../record/log-record.ts'

/** What a session's scope gives its events besides the session's id. */
export interface SessionScope {
  readonly workflowId?: string | null
  readonly phaseId?: string | null
  readonly milestoneId?: string | null
  /** `data.agent_id` and `data.agent_name`: which agent of the session emits. */
  readonly agentId?: string
  readonly agentName?: string
  /** `data.parent_agent_id`: which agent started it. */
  readonly parentAgentId?: string
}

/** As the client's `emit`: never throws. */
type Emit = (event: EmittedEvent) => void

/**
 * A session, or a part of it: fills in the ids of what is emitted here, and of what is emitted anywhere inside
 * `run` and `tool`, across `await`.
 */
export class Session {
  readonly id: string
  readonly scope: SessionScope
  readonly #emit: Emit
  readonly #ambient: AmbientIds

  constructor(emit: Emit, id: string, scope: SessionScope = {}) {
    this.#emit = emit
    this.id = id
    this.scope = scope
    const { workflowId, phaseId, milestoneId, agentId, agentName, parentAgentId } = scope
    const agent = { agent_id: agentId, agent_name: agentName, parent_agent_id: parentAgentId }
    const data = Object.fromEntries(Object.entries(agent).filter(([, value]) => value !== undefined))
    this.#ambient = {
      sessionId: id,
      workflowId,
      phaseId,
      milestoneId,
      ...(Object.keys(data).length > 0 && { data }),
    }
  }

  emit(event: EmittedEvent): void {
    ambient.run(this.#ambient, this.#emit, event)
  }

  /** The same session with further ids, as for a phase of the work. */
  with(scope: SessionScope): Session {
    return new Session(this.#emit, this.id, { ...this.scope, ...scope })
  }

  /** The scope of an agent that this one starts. */
  subagent(agentId: string, agentName?: string): Session {
    return this.with({ agentId, agentName, parentAgentId: this.scope.agentId })
  }

  /** Runs a function inside the session, without any event of its own. */
  run<T>(fn: (session: this) => T): T {
    return ambient.run(this.#ambient, fn, this)
  }

  /** Runs a function as the whole session: emits `session_started` before and `session_completed` after it. */
  record<T>(fn: (session: this) => T, data: EventData = {}): T {
    return this.run(() => {
      recordedSessions.add(this.id)
      this.#emit({ eventType: EventType.SessionStarted, data })
      return observed(
        () => fn(this),
        (outcome) => {
          this.#emit({ eventType: EventType.SessionCompleted, data: { ...data, ...outcome } })
          recordedSessions.delete(this.id)
        },
      )
    })
  }

  /** Runs a tool: see `HookClient.tool`. */
  tool<I, T>(name: string, input: I, fn: (input: I) => T): T {
    return this.run(() => runTool(this.#emit, name, input, fn))
  }
}

/** Emits `tool_execution_started` and `tool_execution_completed` around a function. */
export function runTool<I, T>(emit: Emit, name: string, input: I, fn: (input: I) => T): T {
  const tool = { tool_name: name, tool_use_id: uuidv7(), tool_input: input }
  emit({ eventType: EventType.ToolExecutionStarted, data: tool })
  return observed(
    () => fn(input),
    (outcome, response) =>
      emit({
        eventType: EventType.ToolExecutionCompleted,
        data: { ...tool, tool_response: response, ...outcome },
      }),
  )
}

interface RunOutcome {
  readonly success: boolean
  readonly duration_ms: number
  readonly error?: unknown
}

/** Runs a function, tells how it ended, and ends in the same way: with its value, its promise or its error. */
function observed<T>(fn: () => T, ended: (outcome: RunOutcome, value?: unknown) => void): T {
  const startedAt = performance.now()
  // To the microsecond: the digits beyond are noise.
  const elapsed = () => Math.round((performance.now() - startedAt) * 1000) / 1000
  const succeeded = <V>(value: V): V => {
    ended({ success: true, duration_ms: elapsed() }, value)
    return value
  }
  const failed = (error: unknown): never => {
    ended({ success: false, duration_ms: elapsed(), error })
    throw error
  }
  let result: T
  try {
    result = fn()
  } catch (error) {
    return failed(error)
  }
  return isThenable(result) ? (result.then(succeeded, failed) as T) : succeeded(result)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null)?.then === 'function'
}
