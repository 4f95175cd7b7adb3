import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  type PatchedModule,
} from '../../agents/agent-instrumentation.ts'
import { type ModelRequest, patchCreate, patchToolRunner } from '../../agents/raw-client.ts'
import { newMessages, type ToolCall } from '../../agents/recorder.ts'
import { messages } from './answers.ts'

interface Body {
  readonly model?: string
  readonly stream?: boolean
  readonly messages?: readonly { readonly role?: string }[]
}

interface Exports {
  readonly Messages?: { readonly prototype: object }
}

/**
 * Anthropic's client, `@anthropic-ai/sdk` 0.50 and up: patches `create` and `toolRunner` of messages and of their beta,
 * which the clients for Bedrock and Vertex use too, and reports model calls and the runner's tools.
 */
export class AnthropicInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super('anthropic', config)
  }

  override modules(): PatchedModule[] {
    const files = ['messages/messages', 'beta/messages/messages'].flatMap((file) => [
      `resources/${file}.js`,
      `resources/${file}.mjs`,
    ])
    const patch = ({ Messages }: Exports) => {
      patchCreate(Messages?.prototype, 'anthropic', describe, messages)
      patchToolRunner(Messages?.prototype, 'toolRunner', 'anthropic', toolsOf, 'run', describeTool)
    }
    return [{ name: '@anthropic-ai/sdk', since: '0.50.0', testedMajor: 1, files, patch }]
  }
}

function describe({ model, stream, messages: conversation }: Body): ModelRequest {
  return { model, streaming: stream === true, input: newMessages(conversation) }
}

interface Tool {
  readonly name: string
  readonly run?: unknown
}

function toolsOf({ tools = [] }: { readonly tools?: readonly Tool[] }): readonly Tool[] {
  return tools
}

function describeTool({ name }: Tool, [input, context]: readonly unknown[]): ToolCall {
  return { name, id: (context as { toolUse?: { id?: string } } | undefined)?.toolUse?.id, input }
}
