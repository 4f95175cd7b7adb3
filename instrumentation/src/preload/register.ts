import type { AgentInstrumentationConfig } from '../agents/agent-instrumentation.ts'
import { defaultClient } from '../agents/default-client.ts'
import { AiSdkInstrumentation } from '../libraries/ai/instrumentation.ts'
import { AnthropicInstrumentation } from '../libraries/anthropic/instrumentation.ts'
import { ClaudeAgentSdkInstrumentation } from '../libraries/claude-agent-sdk/instrumentation.ts'
import { GoogleGenAiInstrumentation } from '../libraries/google-genai/instrumentation.ts'
import { LangChainInstrumentation } from '../libraries/langchain/instrumentation.ts'
import { McpInstrumentation } from '../libraries/mcp/instrumentation.ts'
import { OpenAiInstrumentation } from '../libraries/openai/instrumentation.ts'
import { OpenAiAgentsInstrumentation } from '../libraries/openai-agents/instrumentation.ts'
import {
  environmentSessionIdResolver,
  isInstrumented,
  isSdkDisabled,
  type LibraryName,
} from '../options/environment.ts'
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
} satisfies Record<LibraryName, unknown>

function start(): void {
  const config: AgentInstrumentationConfig = { emitter: defaultClient() }
  // At once, and not inside the first call of an agent.
  environmentSessionIdResolver()
  const instrumentations = Object.entries(INSTRUMENTATIONS)
    .filter(([name]) => isInstrumented(name))
    .map(([, Instrumentation]) => new Instrumentation(config))
  hookModules(instrumentations)
}

if (!isSdkDisabled()) start()
