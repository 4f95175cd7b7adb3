import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  type PatchedModule,
} from '../../agents/agent-instrumentation.ts'
import { quietly } from '../../agents/error.ts'
import { observed } from '../../agents/observe.ts'
import { patchMethod } from '../../agents/patch.ts'
import {
  completeModelCall,
  failModelCall,
  type ModelCall,
  observeAnswer,
  startModelCall,
} from '../../agents/raw-client.ts'
import { newMessages } from '../../agents/recorder.ts'
import { type Content, type GenerateContentResponse, generateContent } from './answers.ts'

interface Params {
  readonly model?: string
  readonly contents?: unknown
}

type GenerateStream = (
  this: object,
  params: Params,
  ...rest: unknown[]
) => Promise<AsyncIterableIterator<GenerateContentResponse>>

interface Exports {
  readonly Models?: { readonly prototype: object }
}

/**
 * Google's client, `@google/genai` 1.0 and up: patches the request underneath generateContent, streams and chats, of
 * which a call with automatic function calling sends several, and reports each as a model call.
 */
export class GoogleGenAiInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super('google-genai', config)
  }

  override modules(): PatchedModule[] {
    const patch = ({ Models }: Exports) => patchModels(Models?.prototype)
    const files = ['dist/node/index.mjs', 'dist/node/index.cjs']
    return [{ name: '@google/genai', since: '1.0.0', testedMajor: 3, files, isMain: true, patch }]
  }
}

function patchModels(prototype: object | undefined): void {
  patchMethod(prototype, 'generateContentInternal', (original) =>
    observed(original, (_models: object, [params]: [Params]) => {
      const call = start(params, false)
      return (
        call && {
          scope: call.scope,
          completed: (response) =>
            completeModelCall(call, generateContent.read(response as GenerateContentResponse)),
          failed: (error) => failModelCall(call, error),
        }
      )
    }),
  )
  patchMethod(prototype, 'generateContentStreamInternal', (original) => {
    const generate = original as unknown as GenerateStream
    return function (this: object, params: Params, ...rest: unknown[]) {
      const call = quietly(() => start(params, true))
      const stream = generate.call(this, params, ...rest)
      if (!call) return stream
      return stream.then(
        (chunks) => observeAnswer(call, chunks, generateContent.assembler()),
        (error) => {
          quietly(() => failModelCall(call, error))
          throw error
        },
      )
    }
  })
}

function start({ model, contents }: Params, streaming: boolean): ModelCall | undefined {
  const input = Array.isArray(contents) ? newMessages(contents as Content[]) : contents
  return startModelCall('google-genai', () => ({ model, input, streaming }))
}
