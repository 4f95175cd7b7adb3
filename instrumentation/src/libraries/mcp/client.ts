import { activeRecorder } from '../../agents/agent-instrumentation.ts'
import { type Observation, observed } from '../../agents/observe.ts'
import { patchMethod } from '../../agents/patch.ts'
import { activeScope, insideTool } from '../../scope.ts'
import { isSameTool, observeTool } from './tool-result.ts'

interface Client {
  getServerVersion?(): { readonly name?: string } | undefined
}

interface CallToolParams {
  readonly name: string
  readonly arguments?: unknown
}

export function patchClient(prototype: object | undefined): void {
  patchMethod(prototype, 'callTool', (original) =>
    observed(original, (client: Client, [params]: [CallToolParams]) => start(client, params)),
  )
}

function start(client: Client, params: CallToolParams | undefined): Observation | undefined {
  const recorder = activeRecorder('mcp')
  // An agent's own tool that is only an adapter for this call has been reported by the agent's library.
  if (!recorder || !params || isSameTool(activeScope()?.toolName, params.name)) return undefined
  const scope = recorder.scope()
  const call = { name: params.name, id: crypto.randomUUID(), input: params.arguments }
  const tool = recorder.tool(scope, call, {
    mcp_side: 'client',
    mcp_server: client.getServerVersion?.()?.name,
  })
  return observeTool(recorder, tool, insideTool(scope, call))
}
