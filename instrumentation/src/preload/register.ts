import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { AgentInstrumentationConfig } from '../agents/agent-instrumentation.ts'
import { defaultClient } from '../agents/default-client.ts'
import type { SessionIdResolver } from '../agents/recorder.ts'
import { isInstrumented } from '../agents/settings.ts'
import { AiSdkInstrumentation } from '../libraries/ai/instrumentation.ts'
import { AnthropicInstrumentation } from '../libraries/anthropic/instrumentation.ts'
import { ClaudeAgentSdkInstrumentation } from '../libraries/claude-agent-sdk/instrumentation.ts'
import { GoogleGenAiInstrumentation } from '../libraries/google-genai/instrumentation.ts'
import { LangChainInstrumentation } from '../libraries/langchain/instrumentation.ts'
import { McpInstrumentation } from '../libraries/mcp/instrumentation.ts'
import { OpenAiInstrumentation } from '../libraries/openai/instrumentation.ts'
import { OpenAiAgentsInstrumentation } from '../libraries/openai-agents/instrumentation.ts'
import { hookModules } from './load-hooks.ts'

/**
 * Importing this file instruments every agent library that the process will load. Events go through the
 * LoggerProvider that the application registers, else through a HookClient that the environment configures.
 * Nothing is registered with OpenTelemetry's API: that is the application's own to do.
 */
const INSTRUMENTATIONS = {
  ai: AiSdkInstrumentation,
  anthropic: AnthropicInstrumentation,
  'claude-agent-sdk': ClaudeAgentSdkInstrumentation,
  'google-genai': GoogleGenAiInstrumentation,
  langchain: LangChainInstrumentation,
  mcp: McpInstrumentation,
  openai: OpenAiInstrumentation,
  'openai-agents': OpenAiAgentsInstrumentation,
}

/** AGENTIC_HOOKS_SESSION_RESOLVER: the path of a module whose default export names the session of each call. */
function sessionIdResolver(): SessionIdResolver | undefined {
  const path = process.env.AGENTIC_HOOKS_SESSION_RESOLVER
  if (!path) return undefined
  const exports = createRequire(pathToFileURL(`${process.cwd()}/`))(path)
  const resolver = exports.default ?? exports
  if (typeof resolver === 'function') return resolver
  throw new TypeError(`AGENTIC_HOOKS_SESSION_RESOLVER is '${path}'; its default export must be a function`)
}

function start(): void {
  const sessionId = sessionIdResolver()
  const config: AgentInstrumentationConfig = {
    emitter: defaultClient(),
    ...(sessionId ? { sessionId } : {}),
  }
  const instrumentations = Object.entries(INSTRUMENTATIONS)
    .filter(([name]) => isInstrumented(name))
    .map(([, Instrumentation]) => new Instrumentation(config))
  hookModules(instrumentations)
}

if (process.env.OTEL_SDK_DISABLED?.toLowerCase() !== 'true') start()
