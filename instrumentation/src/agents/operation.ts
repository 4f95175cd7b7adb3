import { EventType, type HookEvent } from '@agentic-hooks/events'
import { type Scope, scopeStorage } from '../scope.ts'
import { joined } from './data.ts'
import { describeError } from './error.ts'
import { sessions } from './sessions.ts'

/** @param startedAtMillis of `performance.now`. To the microsecond: the digits beyond are noise. */
export function millisSince(startedAtMillis: number): number {
  return Math.round((performance.now() - startedAtMillis) * 1000) / 1000
}

/** What is started and completed: the pair of events and what both say. */
export interface OperationKind {
  readonly started: EventType
  readonly completed: EventType
  readonly data: Readonly<Record<string, unknown>>
}

export const OperationKind = {
  Turn: {
    started: EventType.AgentRequestStarted,
    completed: EventType.AgentRequestCompleted,
    data: { scope: 'turn' },
  },
  ModelCall: {
    started: EventType.AgentRequestStarted,
    completed: EventType.AgentRequestCompleted,
    data: { scope: 'model_call' },
  },
  Tool: {
    started: EventType.ToolExecutionStarted,
    completed: EventType.ToolExecutionCompleted,
    data: {},
  },
  Subagent: {
    started: EventType.SubagentStarted,
    completed: EventType.SubagentStopped,
    data: {},
  },
} as const satisfies Record<string, OperationKind>

/**
 * Something that an agent began and will end. It is open from its started event to its completed one, of which
 * there is exactly one: by {@link complete}, by {@link fail}, or by {@link abandon} when its session ends first.
 * Calls after that are ignored.
 */
export class Operation {
  readonly scope: Scope
  /** What both of its events say. */
  readonly identity: Readonly<Record<string, unknown>>
  readonly #kind: OperationKind
  readonly #emit: (event: HookEvent) => void
  readonly #startedAtMillis = performance.now()
  #open = true

  /**
   * @param details what only the started event says
   */
  constructor(
    kind: OperationKind,
    scope: Scope,
    identity: Record<string, unknown>,
    details: Record<string, unknown>,
    emit: (event: HookEvent) => void,
  ) {
    this.scope = scope
    this.#kind = kind
    this.identity = identity
    this.#emit = emit
    sessions.add(scope.sessionId, this)
    this.#emitInScope(kind.started, details)
  }

  complete(data: Record<string, unknown> = {}): void {
    if (!this.#open) return
    this.#open = false
    sessions.remove(this.scope.sessionId, this)
    const duration_ms = millisSince(this.#startedAtMillis)
    this.#emitInScope(this.#kind.completed, { success: true, duration_ms }, data)
  }

  fail(error: unknown, data: Record<string, unknown> = {}): void {
    this.complete({ success: false, ...describeError(error), ...data })
  }

  /** Another event says what became of it. */
  dismiss(): void {
    this.#open = false
    sessions.remove(this.scope.sessionId, this)
  }

  /** A stream whose reader went away before its end. */
  leave(): void {
    this.complete({
      success: false,
      error: 'The stream was left',
      error_type: 'AbortError',
      stop_reason: 'aborted',
    })
  }

  /** Its session ended before it did. */
  abandon(): void {
    this.complete({ success: false, error: 'The session ended first', error_type: 'abandoned' })
  }

  /** An end may be told of anywhere: the ids that the event inherits must be those of the operation. */
  #emitInScope(eventType: EventType, ...data: readonly Record<string, unknown>[]): void {
    const event = {
      eventType,
      sessionId: this.scope.sessionId,
      data: joined(this.#kind.data, this.identity, ...data),
    }
    scopeStorage.run(this.scope, this.#emit, event)
  }
}
