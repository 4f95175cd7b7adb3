import { observed } from './observe.ts'
import { type AgentRecorder, insideTool, type ToolCall } from './recorder.ts'

type AnyFunction = (this: never, ...args: never[]) => unknown

/** A tool's function, each call of it between its two events. */
export function observedTool<Args extends unknown[]>(
  fn: AnyFunction,
  recorder: () => AgentRecorder | undefined,
  describe: (args: Args) => ToolCall,
): (...args: Args) => unknown {
  return observed(fn, (_self: unknown, args: Args) => {
    const to = recorder()
    if (!to) return undefined
    const tool = { id: crypto.randomUUID(), ...describe(args) }
    const scope = to.scope()
    const operation = to.tool(scope, tool)
    return {
      scope: insideTool(scope, tool),
      completed: (value) => operation.complete({ tool_response: to.content(value) }),
      failed: (error) => operation.fail(error),
    }
  })
}
