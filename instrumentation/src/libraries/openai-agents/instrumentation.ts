import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  type PatchedModule,
} from '../../agents/agent-instrumentation.ts'
import { type AgentsCore, patchRunner } from './runner.ts'

/**
 * OpenAI's Agents SDK, `@openai/agents` 0.1 and up: patches `Runner.prototype.run`, the models that a runner is given
 * and the tools that it calls, listens to the runner's events, and reports prompts, turns, model calls, tools, handoffs,
 * permission requests, refusals and subagents.
 *
 * It works with the SDK's tracing disabled; whether a tool failed is then known from the SDK's own message only. A
 * runner with `traceIncludeSensitiveData` false is reported without content.
 */
export class OpenAiAgentsInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super('openai-agents', config)
  }

  override modules(): PatchedModule[] {
    const patch = (exports: AgentsCore) => patchRunner(exports)
    const files = ['dist/index.mjs', 'dist/index.js']
    return [{ name: '@openai/agents-core', since: '0.1.0', testedMajor: 0, files, isMain: true, patch }]
  }
}
