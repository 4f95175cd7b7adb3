import { type HookEvent, uuidv7 } from '@agentic-hooks/events'
import { activeScope, insideTool } from '../scope.ts'
import { observed } from './observe.ts'
import { Operation, OperationKind } from './operation.ts'
import type { AgentRecorder, ToolCall } from './recorder.ts'

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

/** Runs a tool of the application's own, in the session around or in none: see `HookClient.tool`. */
export function runTool<Input, Result>(
  emit: (event: HookEvent) => void,
  name: string,
  input: Input,
  fn: (input: Input) => Result,
): Result {
  const tool = { name, id: uuidv7() }
  const run = observed(fn, () => {
    const around = activeScope() ?? {}
    const identity = { tool_name: name, tool_use_id: tool.id, tool_input: input }
    const scope = { ...around, sessionId: around.sessionId ?? '' }
    const operation = new Operation(OperationKind.Tool, scope, identity, {}, emit)
    return {
      scope: insideTool(around, tool),
      completed: (value) => operation.complete({ tool_response: value }),
      failed: (error) => operation.complete({ success: false, error }),
    }
  }) as (input: Input) => Result
  return run(input)
}
