import { activeRecorder } from '../../agents/agent-instrumentation.ts'
import { quietly } from '../../agents/error.ts'
import { type Observation, observed } from '../../agents/observe.ts'
import { patchMethod } from '../../agents/patch.ts'
import { activeScope, insideTool } from '../../scope.ts'
import { isSameTool, observeTool } from './tool-result.ts'

interface Server {
  /** What the server said about itself when it was made. */
  readonly _serverInfo?: { readonly name?: string }
}

interface Request {
  readonly params: { readonly name: string; readonly arguments?: unknown }
}

/** 1.x has the session beside the request, 2.x in its context. */
interface Extra {
  readonly sessionId?: string
}

type Handler = (request: Request, extra: Extra, ...rest: unknown[]) => unknown

export function patchServer(prototype: object | undefined): void {
  patchMethod(prototype, 'setRequestHandler', (original) => {
    const setRequestHandler = original as unknown as (
      this: Server,
      method: unknown,
      ...rest: unknown[]
    ) => unknown
    return function (this: Server, method: unknown, ...rest: unknown[]) {
      const handler = rest.at(-1)
      if (methodOf(method) !== 'tools/call' || typeof handler !== 'function') {
        return setRequestHandler.call(this, method, ...rest)
      }
      const watched = observe(this, handler as Handler)
      return setRequestHandler.call(this, method, ...rest.slice(0, -1), watched)
    }
  })
}

/** 2.x names the method, 1.x gives the schema of its request, made by any version of zod. */
function methodOf(method: unknown): unknown {
  if (typeof method === 'string') return method
  return quietly(() => {
    const { shape } = method as { shape?: { method?: { value?: unknown } } | (() => unknown) }
    return (shape as { method?: { value?: unknown } } | undefined)?.method?.value
  })
}

function observe(server: Server, handler: Handler): Handler {
  return observed(handler, (_self: unknown, [request, extra]: [Request, Extra | undefined]) =>
    start(server, request, extra),
  ) as Handler
}

function start(server: Server, { params }: Request, extra: Extra | undefined): Observation | undefined {
  const recorder = activeRecorder('mcp')
  // A client in this very process has reported the call.
  if (!recorder || !params || isSameTool(activeScope()?.toolName, params.name)) return undefined
  const scope = recorder.scope(extra?.sessionId === undefined ? {} : { conversationId: extra.sessionId })
  const call = { name: params.name, id: crypto.randomUUID(), input: params.arguments }
  const tool = recorder.tool(scope, call, { mcp_side: 'server', mcp_server: server._serverInfo?.name })
  return observeTool(recorder, tool, insideTool(scope, call))
}
