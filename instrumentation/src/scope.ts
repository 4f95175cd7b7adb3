import { AsyncLocalStorage } from 'node:async_hooks'
import type { EventData } from '@agentic-hooks/events'

/**
 * Where the running code is: in which session, which agent of it, inside which tool call. It follows the code
 * through awaits, so that an event, a nested agent, a tool server's client or a raw model client knows where it
 * belongs, whether `client.session`, `client.tool` or an instrumented library opened the scope.
 */
export interface Scope {
  readonly sessionId: string
  readonly workflowId?: string | null | undefined
  readonly phaseId?: string | null | undefined
  readonly milestoneId?: string | null | undefined
  readonly agentId?: string | undefined
  readonly agentName?: string | undefined
  readonly parentAgentId?: string | undefined
  /** The innermost tool call that is being executed. */
  readonly toolUseId?: string | undefined
  readonly toolName?: string | undefined
  /** Inside a model call that is already reported: a raw client underneath must not report it again. */
  readonly inModelCall?: boolean
}

/** The scope of running code. Inside `client.tool` alone there is no session. */
export type ActiveScope = Partial<Scope>

/** A session's scope as version 0.1.0 kept it, in a storage of its own. */
interface AmbientIds extends Pick<Scope, 'sessionId' | 'workflowId' | 'phaseId' | 'milestoneId'> {
  readonly data?: EventData
}

// One per process, also when several copies of this package are loaded: the preload's and the application's own, which
// may be of other versions. A copy ignores the members that it does not know; a member that changes its meaning
// takes a new key.
const SCOPE = Symbol.for('agentic-hooks.scope')
const AMBIENT = Symbol.for('agentic-hooks.ambient')
const globals = globalThis as {
  [SCOPE]?: AsyncLocalStorage<ActiveScope>
  [AMBIENT]?: AsyncLocalStorage<AmbientIds>
}

globals[SCOPE] ??= new AsyncLocalStorage()
export const scopeStorage: AsyncLocalStorage<ActiveScope> = globals[SCOPE]

/** The scope around the running code. */
export function activeScope(): ActiveScope | undefined {
  return scopeStorage.getStore() ?? fromAmbientIds(globals[AMBIENT]?.getStore())
}

function fromAmbientIds(ids: AmbientIds | undefined): Scope | undefined {
  if (!ids) return undefined
  const { data = {}, ...session } = ids
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  return {
    ...session,
    agentId: text(data.agent_id),
    agentName: text(data.agent_name),
    parentAgentId: text(data.parent_agent_id),
  }
}

/** The members of `data` that an event inherits from its scope; undefined when there are none. */
export function inheritedData(scope: ActiveScope): EventData | undefined {
  const { agentId, agentName, parentAgentId, toolUseId } = scope
  if (agentId === undefined && agentName === undefined && toolUseId === undefined) return undefined
  const data: EventData = {}
  if (agentId !== undefined) data.agent_id = agentId
  if (agentName !== undefined) data.agent_name = agentName
  if (parentAgentId !== undefined) data.parent_agent_id = parentAgentId
  if (toolUseId !== undefined) data.parent_tool_use_id = toolUseId
  return data
}

/**
 * A session's own scope where the code is now: within the same session it inherits what it does not name, and
 * within another one only the calls around it.
 */
export function insideSession(session: Scope): Scope {
  const around = activeScope()
  if (!around) return session
  if (around.sessionId === undefined || around.sessionId === session.sessionId)
    return { ...around, ...session }
  const { toolUseId, toolName, inModelCall = false } = around
  return { ...session, toolUseId, toolName, inModelCall }
}

/** The scope of what runs inside a tool call. */
export function insideTool<Outer extends ActiveScope>(
  scope: Outer,
  tool: { name: string; id?: string | undefined },
): Outer {
  return { ...scope, toolUseId: tool.id, toolName: tool.name, inModelCall: false }
}

/** The scope of what runs inside a model call: raw clients underneath keep quiet. */
export function insideModelCall(scope: Scope): Scope {
  return { ...scope, inModelCall: true }
}

/**
 * Runs a function outside of every scope. Sockets and timers are made there: made inside, they would keep the
 * caller's scope, and its tracing context, for as long as they live.
 */
export const outsideOfScopes: <T>(run: () => T) => T = AsyncLocalStorage.snapshot()
