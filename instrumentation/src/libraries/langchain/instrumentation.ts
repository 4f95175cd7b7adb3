import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  type PatchedModule,
} from '../../agents/agent-instrumentation.ts'
import { type CallbackManagerClass, patchCallbackManager } from './callback-manager.ts'
import { patchChatModel, patchTool } from './inside.ts'

interface Exports {
  readonly CallbackManager?: CallbackManagerClass
  readonly BaseChatModel?: { readonly prototype: object }
  readonly StructuredTool?: { readonly prototype: object }
}

/**
 * LangChain and LangGraph, `@langchain/core` 1.0 and up: patches the callback manager to add a handler to every run,
 * and models and tools only to know what runs inside them; reports prompts, turns, model calls, tools, permission
 * requests, decisions, refusals and subagents.
 */
export class LangChainInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super('langchain', config)
  }

  override modules(): PatchedModule[] {
    const core = { name: '@langchain/core', since: '1.0.0', testedMajor: 1 }
    const both = (file: string) => [`dist/${file}.js`, `dist/${file}.cjs`]
    return [
      {
        ...core,
        files: both('callbacks/manager'),
        patch: ({ CallbackManager }: Exports) => patchCallbackManager(CallbackManager),
      },
      {
        ...core,
        files: both('language_models/chat_models'),
        patch: ({ BaseChatModel }: Exports) => patchChatModel(BaseChatModel?.prototype),
      },
      {
        ...core,
        files: both('tools/index'),
        patch: ({ StructuredTool }: Exports) => patchTool(StructuredTool?.prototype),
      },
    ]
  }
}
