import { type EventData, EventType } from '@agentic-hooks/events'
import { joined } from '../agents/data.ts'
import { observed } from '../agents/observe.ts'
import { millisSince } from '../agents/operation.ts'
import { recordedSessions } from '../agents/sessions.ts'
import { runTool } from '../agents/tool-function.ts'
import type { EmittedEvent } from '../record/log-record.ts'
import { insideSession, type Scope, scopeStorage } from '../scope.ts'

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
  readonly #own: Scope

  constructor(emit: Emit, id: string, scope: SessionScope = {}) {
    this.#emit = emit
    this.id = id
    this.scope = scope
    const { agentId, agentName, parentAgentId, ...ids } = scope
    const agent = { agentId, agentName, parentAgentId }
    const namesAgent = Object.values(agent).some((value) => value !== undefined)
    this.#own = { ...joined(ids), ...(namesAgent && agent), sessionId: id }
  }

  emit(event: EmittedEvent): void {
    scopeStorage.run(insideSession(this.#own), this.#emit, event)
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
    return scopeStorage.run(insideSession(this.#own), fn, this)
  }

  /** Runs a function as the whole session: emits `session_started` before and `session_completed` after it. */
  record<T>(fn: (session: this) => T, data: EventData = {}): T {
    const record = observed(fn, () => {
      const startedAtMillis = performance.now()
      recordedSessions.add(this.id)
      this.emit({ eventType: EventType.SessionStarted, data })
      const ended = (outcome: EventData) => {
        const duration_ms = millisSince(startedAtMillis)
        this.emit({ eventType: EventType.SessionCompleted, data: { ...data, ...outcome, duration_ms } })
        recordedSessions.delete(this.id)
      }
      return {
        scope: insideSession(this.#own),
        completed: () => ended({ success: true }),
        failed: (error) => ended({ success: false, error }),
      }
    }) as typeof fn
    return record(this)
  }

  /** Runs a tool: see `HookClient.tool`. */
  tool<I, T>(name: string, input: I, fn: (input: I) => T): T {
    return this.run(() => runTool(this.#emit, name, input, fn))
  }
}
