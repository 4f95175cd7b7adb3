import { plainText } from '../../agents/conversation.ts'
import type { Observation } from '../../agents/observe.ts'
import type { Operation } from '../../agents/operation.ts'
import type { AgentRecorder } from '../../agents/recorder.ts'
import type { Scope } from '../../scope.ts'

/** What a tool of a server answers; a failed one answers too. */
interface CallToolResult {
  readonly isError?: boolean
  readonly content?: unknown
  readonly structuredContent?: unknown
}

export function observeTool(recorder: AgentRecorder, tool: Operation, scope: Scope): Observation {
  return {
    scope,
    completed: (result) => completeTool(recorder, tool, result as CallToolResult),
    failed: (error) => tool.fail(error),
  }
}

function completeTool(recorder: AgentRecorder, tool: Operation, result: CallToolResult | undefined): void {
  const text = plainText(result?.content)
  const response = recorder.content(result?.structuredContent ?? text)
  if (result?.isError) {
    const error = recorder.content(text) ?? 'The tool answered with an error'
    tool.complete({ success: false, error, error_type: 'tool_error', tool_response: response })
  } else tool.complete({ tool_response: response })
}

/** Whether an agent's tool is this one of a server: adapters may put the server's name before it. */
export function isSameTool(agentTool: string | undefined, name: string): boolean {
  if (!agentTool?.endsWith(name)) return false
  return agentTool.length === name.length || /[^A-Za-z0-9]/.test(agentTool.at(-name.length - 1)!)
}
