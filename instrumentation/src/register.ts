import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { HookEvent } from '@agentic-hooks/events'
import type { AgentInstrumentationConfig } from './agent-events/agent-instrumentation.ts'
import { warnOnce } from './agent-events/error.ts'
import { hookEsModules } from './agent-events/esm-hooks.ts'
import type { Emitter, SessionIdResolver } from './agent-events/recorder.ts'
import { isInstrumented } from './agent-events/settings.ts'
import { AiSdkInstrumentation } from './ai/instrumentation.ts'
import { AnthropicInstrumentation } from './anthropic/instrumentation.ts'
import { GoogleGenAiInstrumentation } from './google-genai/instrumentation.ts'
import { LangChainInstrumentation } from './langchain/instrumentation.ts'
import { McpInstrumentation } from './mcp/instrumentation.ts'
import { OpenAiInstrumentation } from './openai/instrumentation.ts'
import { OpenAiAgentsInstrumentation } from './openai-agents/instrumentation.ts'
import type { HookClientOptions } from './options.ts'

/**
 * Importing this file instruments every agent library that the process will load. Events go through the
 * LoggerProvider that the application registers, else through a HookClient that the environment configures.
 * Nothing is registered with OpenTelemetry's API: that is the application's own to do.
 */
const INSTRUMENTATIONS = {
  ai: AiSdkInstrumentation,
  anthropic: AnthropicInstrumentation,
  'google-genai': GoogleGenAiInstrumentation,
  langchain: LangChainInstrumentation,
  mcp: McpInstrumentation,
  openai: OpenAiInstrumentation,
  'openai-agents': OpenAiAgentsInstrumentation,
}

const require = createRequire(import.meta.url)

/** Made with the first event: a process without agents never loads the client, nor OpenTelemetry's SDK. */
class LazyClient implements Emitter {
  #client: Emitter | undefined

  emit(event: HookEvent): void {
    this.#client ??= this.#create()
    this.#client.emit(event)
  }

  #create(): Emitter {
    try {
      const { HookClient } = require(import.meta.filename.endsWith('.ts') ? './client.ts' : './client.js')
      return new HookClient(clientOptions())
    } catch (error) {
      warnOnce(error)
      return { emit() {} }
    }
  }
}

/** What OpenTelemetry has no variable for; its own (OTEL_EXPORTER_OTLP_*, OTEL_BLRP_*) the client reads itself. */
function clientOptions(): HookClientOptions {
  const { AGENTIC_HOOKS_SPOOL: spool, AGENTIC_HOOKS_DURABILITY, AGENTIC_HOOKS_REDACT } = process.env
  return {
    ...(spool ? { spool } : {}),
    ...(AGENTIC_HOOKS_DURABILITY ? { durability: AGENTIC_HOOKS_DURABILITY as 'disk' } : {}),
    ...(AGENTIC_HOOKS_REDACT === 'false' ? { redact: false } : {}),
  }
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
    emitter: new LazyClient(),
    ...(sessionId ? { sessionId } : {}),
  }
  const instrumentations = Object.entries(INSTRUMENTATIONS)
    .filter(([name]) => isInstrumented(name))
    .map(([, Instrumentation]) => new Instrumentation(config))
  hookEsModules(instrumentations)
}

if (process.env.OTEL_SDK_DISABLED?.toLowerCase() !== 'true') start()
