import { quietly } from '../../agents/error.ts'
import type { QueryEvents } from './query-events.ts'
import type { CanUseTool, HookCallback, HookMatcher, HookOutput, Options } from './types.ts'

/**
 * The hooks that only tell. Others stand in for what the command line does itself (WorktreeCreate makes the
 * worktree), are asked for an answer (Elicitation), or come by the hundred (MessageDisplay).
 */
const OBSERVED_HOOKS = [
  'PreToolUse',
  'PostToolUse',
  'PostToolUseFailure',
  'PermissionRequest',
  'PermissionDenied',
  'UserPromptSubmit',
  'Stop',
  'StopFailure',
  'SubagentStart',
  'SubagentStop',
  'PreCompact',
  'PostCompact',
  'Notification',
  'TaskCreated',
  'TaskCompleted',
]

/** The application's options with ours added; its own objects stay as they are. */
export function observedOptions(
  options: Options,
  events: QueryEvents,
  known: readonly string[] | undefined,
): Options {
  const hooks: Record<string, readonly HookMatcher[]> = Object.fromEntries(
    Object.entries(options.hooks ?? {}).map(([name, matchers]) => [
      name,
      matchers.map((matcher) => ({
        ...matcher,
        hooks: matcher.hooks.map((hook) => decided(hook, events)),
      })),
    ]),
  )
  const observe: HookCallback = async (input) => {
    quietly(() => events.hook(input))
    return {}
  }
  for (const name of OBSERVED_HOOKS) {
    if (known && !known.includes(name)) continue
    // What asks the application tells it which call it is about; the hook does not.
    if (name === 'PermissionRequest' && options.canUseTool) continue
    // Ahead of the application's, so that a call has started before it is decided about.
    hooks[name] = [{ hooks: [observe] }, ...(hooks[name] ?? [])]
  }
  const { canUseTool } = options
  return { ...options, hooks, ...(canUseTool ? { canUseTool: permitted(canUseTool, events) } : {}) }
}

/** A hook of the application: what it decides is an event. */
function decided(hook: HookCallback, events: QueryEvents): HookCallback {
  return async (input, ...rest) => {
    const output = await hook(input, ...rest)
    quietly(() => {
      const decision = decisionIn(output)
      if (decision) events.decided(input, decision.decision, decision.reason)
    })
    return output
  }
}

function decisionIn(
  output: HookOutput | undefined,
): { decision: string; reason: string | undefined } | undefined {
  const { decision, reason, hookSpecificOutput: specific, stopReason } = output ?? {}
  if (specific?.permissionDecision) {
    return { decision: specific.permissionDecision, reason: specific.permissionDecisionReason }
  }
  if (specific?.decision?.behavior)
    return { decision: specific.decision.behavior, reason: specific.decision.message }
  if (decision) return { decision, reason }
  return output?.continue === false ? { decision: 'stop', reason: stopReason } : undefined
}

function permitted(canUseTool: CanUseTool, events: QueryEvents): CanUseTool {
  return async (toolName, input, options) => {
    const tool = { name: toolName, id: options?.toolUseID, input }
    quietly(() => events.asked(tool))
    const result = await canUseTool(toolName, input, options)
    quietly(() => events.permitted(tool, result))
    return result
  }
}
