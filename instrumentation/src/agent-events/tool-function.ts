import { quietly } from './error.ts'
import { type AgentRecorder, insideTool, type ToolCall } from './recorder.ts'
import { scopeStorage } from './scope.ts'

/**
 * Runs a tool's function between its two events. It returns what the function returns, at the same time, and
 * throws what it throws. Without a recorder it only runs it.
 */
export function runTool<T>(recorder: AgentRecorder | undefined, describe: () => ToolCall, run: () => T): T {
  const started = quietly(() => {
    if (!recorder) return undefined
    const call = describe()
    const tool = { ...call, id: call.id ?? crypto.randomUUID() }
    const scope = recorder.scope()
    return { recorder, operation: recorder.tool(scope, tool), scope: insideTool(scope, tool) }
  })
  if (!started) return run()
  const { operation, scope } = started
  const complete = (value: unknown) =>
    quietly(() => operation.complete({ tool_response: started.recorder.content(value) }))
  try {
    const result = scopeStorage.run(scope, run)
    if (result instanceof Promise) return settle(result, complete, (error) => operation.fail(error)) as T
    complete(result)
    return result
  } catch (error) {
    quietly(() => operation.fail(error))
    throw error
  }
}

async function settle<T>(
  promise: Promise<T>,
  complete: (value: T) => void,
  fail: (error: unknown) => void,
): Promise<T> {
  try {
    const value = await promise
    complete(value)
    return value
  } catch (error) {
    quietly(() => fail(error))
    throw error
  }
}
