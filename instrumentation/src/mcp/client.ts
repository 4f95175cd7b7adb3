import { activeRecorder } from '../agent-events/agent-instrumentation.ts'
import { quietly } from '../agent-events/error.ts'
import { patchMethod } from '../agent-events/patch.ts'
import { insideTool } from '../agent-events/recorder.ts'
import { activeScope, scopeStorage } from '../agent-events/scope.ts'
import { type CallToolResult, completeTool, isSameTool } from './tool-result.ts'

interface Client {
  getServerVersion?(): { readonly name?: string } | undefined
}

interface CallToolParams {
  readonly name: string
  readonly arguments?: unknown
}

type CallTool = (this: Client, params: CallToolParams, ...rest: unknown[]) => Promise<CallToolResult>

export function patchClient(prototype: object | undefined): void {
  patchMethod(prototype, 'callTool', (original) => {
    const callTool = original as unknown as CallTool
    return async function (this: Client, params: CallToolParams, ...rest: unknown[]) {
      const call = quietly(() => start(this, params))
      if (!call) return await callTool.call(this, params, ...rest)
      const { recorder, tool, scope } = call
      try {
        const result = await scopeStorage.run(scope, () => callTool.call(this, params, ...rest))
        quietly(() => completeTool(recorder, tool, result))
        return result
      } catch (error) {
        quietly(() => tool.fail(error))
        throw error
      }
    }
  })
}

function start(client: Client, params: CallToolParams) {
  const recorder = activeRecorder('mcp')
  // An agent's own tool that is only an adapter for this call has been reported by the agent's library.
  if (!recorder || isSameTool(activeScope()?.toolName, params.name)) return undefined
  const scope = recorder.scope()
  const call = { name: params.name, id: crypto.randomUUID(), input: params.arguments }
  const tool = recorder.tool(scope, call, {
    mcp_side: 'client',
    mcp_server: client.getServerVersion?.()?.name,
  })
  return { recorder, tool, scope: insideTool(scope, call) }
}
