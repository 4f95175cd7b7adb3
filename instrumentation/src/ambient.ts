import { AsyncLocalStorage } from 'node:async_hooks'
import type { EventData } from '@agentic-hooks/events'

/** What events inherit from the session's scope that they are emitted in. */
export interface AmbientIds {
  readonly sessionId: string
  readonly workflowId?: string | null
  readonly phaseId?: string | null
  readonly milestoneId?: string | null
  /** Members for `data` of every event; the event's own win. */
  readonly data?: EventData
}

// One per process, also when two copies of this package are loaded: the preload's and the application's own.
const AMBIENT = Symbol.for('agentic-hooks.ambient')
const RECORDED = Symbol.for('agentic-hooks.recorded-sessions')
const globals = globalThis as { [AMBIENT]?: AsyncLocalStorage<AmbientIds>; [RECORDED]?: Set<string> }

globals[AMBIENT] ??= new AsyncLocalStorage()
globals[RECORDED] ??= new Set()

/** The scope around the running code, across `await`. */
export const ambient: AsyncLocalStorage<AmbientIds> = globals[AMBIENT]

/** The sessions whose start and end `Session.record` tells: nobody else does. */
export const recordedSessions: Set<string> = globals[RECORDED]

/**
 * Runs a function outside of every scope. Sockets and timers are made there: made inside, they would keep the
 * caller's scope, and its tracing context, for as long as they live.
 */
export const outsideOfScopes: <T>(run: () => T) => T = AsyncLocalStorage.snapshot()
