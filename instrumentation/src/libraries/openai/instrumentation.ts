import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  type PatchedModule,
} from '../../agents/agent-instrumentation.ts'
import { type ModelRequest, patchCreate, patchToolRunner } from '../../agents/raw-client.ts'
import { newMessages, type ToolCall } from '../../agents/recorder.ts'
import { chatCompletions, responses } from './answers.ts'

interface Body {
  readonly model?: string
  readonly stream?: boolean
  readonly messages?: readonly { readonly role?: string }[]
  readonly input?: unknown
}

interface Exports {
  readonly Completions?: { readonly prototype: object }
  readonly Responses?: { readonly prototype: object }
}

/**
 * OpenAI's client, `openai` 4.70 and up: patches `create` of chat completions and responses, which their helpers use,
 * and `runTools`, and reports model calls and the runner's tools, but not those that an agent library reports itself.
 */
export class OpenAiInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super('openai', config)
  }

  override modules(): PatchedModule[] {
    const openai = { name: 'openai', since: '4.70.0', testedMajor: 7 }
    const both = (file: string) => [`resources/${file}.js`, `resources/${file}.mjs`]
    return [
      {
        ...openai,
        files: [...both('chat/completions/completions'), ...both('chat/completions')],
        patch: ({ Completions }: Exports) => {
          patchCreate(Completions?.prototype, 'openai', describe, chatCompletions)
          patchToolRunner(Completions?.prototype, 'runTools', 'openai', toolsOf, 'function', describeTool)
        },
      },
      {
        ...openai,
        files: both('responses/responses'),
        patch: ({ Responses }: Exports) => patchCreate(Responses?.prototype, 'openai', describe, responses),
      },
    ]
  }
}

function describe({ model, stream, messages, input }: Body): ModelRequest {
  const added = messages ? newMessages(messages) : Array.isArray(input) ? newMessages(input) : input
  return { model, streaming: stream === true, input: added }
}

/** What `runTools` calls: `parse` has turned the arguments into an object where the tool has one. */
interface ToolFunction {
  readonly name?: string
  readonly function?: unknown
}

function toolsOf({
  tools = [],
}: {
  readonly tools?: readonly { readonly function?: ToolFunction }[]
}): ToolFunction[] {
  return tools.flatMap((tool) => (typeof tool.function === 'object' ? [tool.function] : []))
}

/** The runner does not say which call it serves. */
function describeTool(tool: ToolFunction, [input]: readonly unknown[]): ToolCall {
  const { name } = tool.function as { name?: string }
  return { name: tool.name ?? name ?? 'tool', input }
}
