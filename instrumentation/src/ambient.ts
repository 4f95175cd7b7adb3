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

/** The scope around the running code, across `await`. */
export const ambient = new AsyncLocalStorage<AmbientIds>()

/**
 * Runs a function outside of every scope. Sockets and timers are made there: made inside, they would keep the
 * caller's scope, and its tracing context, for as long as they live.
 */
export const outsideOfScopes: <T>(run: () => T) => T = AsyncLocalStorage.snapshot()
