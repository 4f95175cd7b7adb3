import { logs } from '@opentelemetry/api'
import { capturesContent } from '../options/environment.ts'
import { defaultClient } from './default-client.ts'
import { LoggerEmitter } from './logger-emitter.ts'
import { AgentRecorder, type Emitter } from './recorder.ts'
import { observedTool } from './tool-function.ts'
import { version } from './version.ts'

export interface InstrumentToolOptions {
  /** What events call the tool. Default: the function's name. */
  readonly name?: string
  /** Where its events go. Default: as those of the preload, which need not be there. */
  readonly client?: Emitter
}

const SCOPE_NAME = '@agentic-hooks/instrumentation/custom'

/**
 * The same function, each call of which is reported as a tool's: started with its arguments, completed with what
 * it returned or threw, and how long it took. Agents that it calls report themselves as its subagents.
 */
export function instrumentTool<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  { name = fn.name || 'tool', client }: InstrumentToolOptions = {},
): (...args: Args) => Result {
  const emitter =
    client ?? new LoggerEmitter(() => logs.getLogger(SCOPE_NAME, version), SCOPE_NAME, defaultClient())
  const recorder = new AgentRecorder({
    framework: 'custom',
    emitter,
    captureContent: capturesContent('custom'),
  })
  const instrumented = observedTool(
    fn as (...args: never[]) => unknown,
    () => recorder,
    (args: Args) => ({ name, input: args.length === 1 ? args[0] : args }),
  ) as (...args: Args) => Result
  return Object.defineProperties(instrumented, {
    name: { value: fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
  })
}
