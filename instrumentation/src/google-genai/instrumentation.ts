import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  type PatchedModule,
} from '../agent-events/agent-instrumentation.ts'
import { quietly } from '../agent-events/error.ts'
import { patchMethod } from '../agent-events/patch.ts'
import {
  completeModelCall,
  failModelCall,
  type ModelCall,
  observeAnswer,
  startModelCall,
} from '../agent-events/raw-client.ts'
import { newMessages } from '../agent-events/recorder.ts'
import { scopeStorage } from '../agent-events/scope.ts'
import { type Content, type GenerateContentResponse, generateContent } from './answers.ts'

interface Params {
  readonly model?: string
  readonly contents?: unknown
}

type Generate = (this: object, params: Params, ...rest: unknown[]) => Promise<GenerateContentResponse>
type GenerateStream = (
  this: object,
  params: Params,
  ...rest: unknown[]
) => Promise<AsyncIterableIterator<GenerateContentResponse>>

interface Exports {
  readonly Models?: { readonly prototype: object }
}

/**
 * Google's client, `@google/genai` 1.0 and up: model calls through generateContent, streams and chats included.
 * What is patched is the request underneath, of which a call with automatic function calling sends several.
 */
export class GoogleGenAiInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super('google-genai', config)
  }

  override modules(): PatchedModule[] {
    const patch = ({ Models }: Exports) => patchModels(Models?.prototype)
    return [
      { name: '@google/genai', since: '>=1.0.0', testedMajor: 3, esmEntry: 'dist/node/index.mjs', patch },
    ]
  }
}

function patchModels(prototype: object | undefined): void {
  patchMethod(prototype, 'generateContentInternal', (original) => {
    const generate = original as unknown as Generate
    return async function (this: object, params: Params, ...rest: unknown[]) {
      const call = start(params, false)
      if (!call) return await generate.call(this, params, ...rest)
      try {
        const response = await scopeStorage.run(call.scope, () => generate.call(this, params, ...rest))
        quietly(() => completeModelCall(call, generateContent.read(response)))
        return response
      } catch (error) {
        quietly(() => failModelCall(call, error))
        throw error
      }
    }
  })
  patchMethod(prototype, 'generateContentStreamInternal', (original) => {
    const generate = original as unknown as GenerateStream
    return async function (this: object, params: Params, ...rest: unknown[]) {
      const call = start(params, true)
      if (!call) return await generate.call(this, params, ...rest)
      try {
        const stream = await scopeStorage.run(call.scope, () => generate.call(this, params, ...rest))
        return observeAnswer(call, stream, generateContent.assembler())
      } catch (error) {
        quietly(() => failModelCall(call, error))
        throw error
      }
    }
  })
}

function start({ model, contents }: Params, streaming: boolean): ModelCall | undefined {
  const input = Array.isArray(contents) ? newMessages(contents as Content[]) : contents
  return startModelCall('google-genai', () => ({ model, input, streaming }))
}
