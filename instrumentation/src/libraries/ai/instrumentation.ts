import { tracingChannel } from 'node:diagnostics_channel'
import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  activeRecorder,
} from '../../agents/agent-instrumentation.ts'
import { quietly } from '../../agents/error.ts'
import { activeScope, scopeStorage } from '../../scope.ts'
import { AiCalls, type TelemetryMessage } from './calls.ts'

const FRAMEWORK = 'ai'
const SUBSCRIBED = Symbol.for('agentic-hooks.ai')
const globals = globalThis as { [SUBSCRIBED]?: true; AI_SDK_TELEMETRY_INTEGRATIONS?: unknown[] }

/**
 * Vercel's AI SDK, `ai` 7 and up: subscribes to the SDK's own telemetry instead of patching it, and reports prompts,
 * turns, model calls, tools, permission requests, refusals and subagents.
 */
export class AiSdkInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super(FRAMEWORK, config)
  }

  override modules(): [] {
    return []
  }

  override enable(): void {
    super.enable()
    if (globals[SUBSCRIBED]) return
    globals[SUBSCRIBED] = true
    subscribe(new AiCalls(() => activeRecorder(FRAMEWORK)))
  }
}

/**
 * The SDK's tracing channel tells of every call and carries the scope into tools. What a stream brings (usage, stop
 * reason, refused tools) only its telemetry integrations are told, and a call that names integrations of its own
 * leaves ours out: such a stream is reported without these.
 */
function subscribe(calls: AiCalls): void {
  const channel = tracingChannel<unknown, TelemetryMessage>('ai:telemetry')
  // The store's transform is what runs at the start: a throw in it would be an uncaught exception.
  channel.start.bindStore(
    scopeStorage as never,
    (message) => quietly(() => calls.start(message)) ?? activeScope(),
  )
  channel.asyncEnd.subscribe((message) => quietly(() => calls.end(message as TelemetryMessage)))

  globals.AI_SDK_TELEMETRY_INTEGRATIONS ??= []
  globals.AI_SDK_TELEMETRY_INTEGRATIONS.push({
    onLanguageModelCallEnd: (event: never) => quietly(() => calls.modelCallEnded(event)),
    onToolExecutionEnd: (event: never) => quietly(() => calls.toolEnded(event)),
    onStepEnd: (event: never) => quietly(() => calls.stepEnded(event)),
    onEnd: (event: never) => quietly(() => calls.ended(event)),
  })
}
