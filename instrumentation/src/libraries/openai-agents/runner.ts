import { activeRecorder } from '../../agents/agent-instrumentation.ts'
import { plainText } from '../../agents/conversation.ts'
import { quietly } from '../../agents/error.ts'
import { observed, runIn } from '../../agents/observe.ts'
import { patchMethod } from '../../agents/patch.ts'
import { activeScope } from '../../scope.ts'
import { patchModel, patchProvider } from './model.ts'
import { AgentRun, currentRun } from './run.ts'
import type {
  Agent,
  InputItem,
  RunInput,
  Runner,
  RunOptions,
  RunResult,
  Tool,
  ToolCallItem,
} from './types.ts'
import { isRunState } from './types.ts'

export interface AgentsCore {
  readonly Runner?: { readonly prototype: Runner }
  readonly getCurrentTrace?: () => { readonly groupId?: string | null } | null
  readonly getCurrentSpan?: () => { readonly error?: SpanError | null } | null
}

interface SpanError {
  readonly message?: string
}

export function patchRunner({ Runner, getCurrentTrace, getCurrentSpan }: AgentsCore): void {
  const watched = new WeakSet<Runner>()
  patchMethod(Runner?.prototype, 'run', (original) =>
    observed(
      original,
      (runner: Runner, [agent, input, options]: [Agent, RunInput, RunOptions | undefined]) => {
        if (!watched.has(runner)) watch(runner, () => getCurrentSpan?.()?.error)
        watched.add(runner)
        const run = start(runner, agent, input, options, getCurrentTrace?.()?.groupId)
        return (
          run && {
            scope: run.scope,
            completed: (result) => run.follow(result as RunResult),
            failed: (error) => run.fail(error),
          }
        )
      },
    ),
  )
}

function start(
  runner: Runner,
  agent: Agent,
  input: RunInput,
  options: RunOptions | undefined,
  traceGroupId: string | null | undefined,
): AgentRun | undefined {
  const recorder = activeRecorder('openai-agents')
  if (!recorder) return undefined
  patchProvider(runner.config?.modelProvider)
  patchModel(agent.model, undefined)
  patchModel(runner.config?.model, undefined)

  const resumed = isRunState(input) ? input : undefined
  const prompt = isRunState(input) ? undefined : lastUserInput(input)
  const sessionId = options?.session?.sessionId
  const conversationId =
    options?.conversationId ??
    (typeof sessionId === 'string' ? sessionId : undefined) ??
    resumed?._conversationId ??
    runner.config?.groupId ??
    resumed?._trace?.groupId ??
    traceGroupId ??
    undefined
  const isNested = activeScope()?.toolName !== undefined
  const run = new AgentRun(recorder, agent, conversationId, {
    isNested,
    capturesContent: runner.config?.traceIncludeSensitiveData !== false,
  })
  if (!isNested) run.prompted(prompt)
  run.begin()
  if (resumed) run.refuse(resumed)
  return run
}

/** Its listeners find the run that an event belongs to by the scope that they are called in. */
function watch(runner: Runner, spanError: () => SpanError | null | undefined): void {
  const on = <Args extends unknown[]>(event: string, listener: (run: AgentRun, ...args: Args) => void) => {
    const inRun = (_context: unknown, ...args: Args) => {
      const run = currentRun()
      if (run) quietly(() => listener(run, ...args))
    }
    runner.on(event, inRun as unknown as (...args: never[]) => void)
  }
  on('agent_start', (run, agent: Agent) => {
    patchModel(agent.model, undefined)
    run.agentStarted(agent)
  })
  on('agent_handoff', (run, from: Agent, to: Agent) => run.handedOff(from, to))
  on('agent_tool_start', (run, _agent: Agent, tool: Tool, { toolCall }: { toolCall: ToolCallItem }) => {
    runInvokeInside(tool)
    run.toolStarted(tool, toolCall)
  })
  on(
    'agent_tool_end',
    (run, _agent: Agent, _tool: Tool, output: unknown, { toolCall }: { toolCall: ToolCallItem }) =>
      run.toolEnded(toolCall, output, spanError()?.message),
  )
}

type InvokeArgs = [context: unknown, input: unknown, details: { toolCall?: ToolCallItem } | undefined]

/** So that an agent, a server's client or a raw model client inside the tool knows where it is. */
function runInvokeInside(tool: Tool): void {
  patchMethod(tool, 'invoke', (original) =>
    observed(original, (_tool: Tool, [, , details]: InvokeArgs) => {
      const scope = currentRun()?.scopeOf(details?.toolCall)
      return scope && runIn(scope)
    }),
  )
}

function lastUserInput(input: string | readonly InputItem[]): unknown {
  if (typeof input === 'string') return input
  const last = input.at(-1)
  return last?.role === 'user' ? plainText(last.content) : undefined
}
