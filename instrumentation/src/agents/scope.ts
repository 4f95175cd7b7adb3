import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Where in an agent the running code is: which session, which agent of it, inside which tool call. It follows
 * the code through awaits, so that a nested agent, a tool server's client or a raw model client knows whom it
 * works for, whichever library each of them is from.
 */
export interface Scope {
  readonly sessionId: string
  readonly agentId?: string
  readonly agentName?: string
  readonly parentAgentId?: string
  /** The innermost tool call that is being executed. */
  readonly toolUseId?: string
  readonly toolName?: string
  /** Inside a model call that is already reported: a raw client underneath must not report it again. */
  readonly inModelCall?: boolean
}

// One per process, also when two copies of this package are loaded (the preload's and the application's own).
const STORAGE = Symbol.for('agentic-hooks.scope')
const globals = globalThis as { [STORAGE]?: AsyncLocalStorage<Scope> }

globals[STORAGE] ??= new AsyncLocalStorage<Scope>()
export const scopeStorage: AsyncLocalStorage<Scope> = globals[STORAGE]

export function activeScope(): Scope | undefined {
  return scopeStorage.getStore()
}
