import { activeScope, type Scope } from '../scope.ts'
import { activeRecorder } from './agent-instrumentation.ts'
import { isAbort, quietly } from './error.ts'
import { observeIterator } from './observe.ts'
import type { Operation } from './operation.ts'
import { patchMethod } from './patch.ts'
import type { AgentRecorder, ToolCall, Usage } from './recorder.ts'
import { observedTool } from './tool-function.ts'

/** What a provider's answer says, in the terms of hook events. */
export interface ModelAnswer {
  readonly model?: string | undefined
  readonly id?: string | undefined
  readonly stopReason?: string | null | undefined
  readonly usage?: Usage | undefined
  readonly output?: unknown
}

/** Puts the answer together from the pieces of a stream. */
export interface AnswerAssembler<Chunk> {
  add(chunk: Chunk): void
  answer(): ModelAnswer
}

export interface ModelRequest {
  readonly model?: string | undefined
  readonly input?: unknown
  readonly streaming?: boolean
}

/** A request of a raw client under way. */
export interface ModelCall {
  readonly recorder: AgentRecorder
  readonly operation: Operation
  readonly scope: Scope
}

/** Undefined where nobody listens, or where the library that sends the request reports it itself. */
export function startModelCall(framework: string, describe: () => ModelRequest): ModelCall | undefined {
  return quietly(() => {
    const recorder = activeRecorder(framework)
    if (!recorder || activeScope()?.inModelCall) return undefined
    const scope = recorder.scope()
    return { recorder, scope, operation: recorder.modelCall(scope, { provider: framework, ...describe() }) }
  })
}

export function completeModelCall({ recorder, operation }: ModelCall, answer: ModelAnswer): void {
  operation.complete({
    response_model: answer.model,
    response_id: answer.id,
    stop_reason: answer.stopReason ?? undefined,
    usage: answer.usage,
    output: recorder.content(answer.output),
  })
}

export function failModelCall({ operation }: ModelCall, error: unknown): void {
  operation.fail(error, { stop_reason: isAbort(error) ? 'aborted' : 'error' })
}

/** The iterator of a streamed answer, which completes the call when it ends. */
export function observeAnswer<Chunk>(
  call: ModelCall,
  iterator: AsyncIterator<Chunk>,
  assembler: AnswerAssembler<Chunk>,
  signal?: AbortSignal,
): AsyncIterableIterator<Chunk> {
  return observeIterator(iterator, call.scope, {
    item: (chunk) => assembler.add(chunk),
    // An aborted stream of these clients ends as if it were complete.
    end: (finished) =>
      finished && !signal?.aborted ? completeModelCall(call, assembler.answer()) : call.operation.leave(),
    error: (error) => failModelCall(call, error),
  })
}

/** The promise of OpenAI's and Anthropic's clients, which reads the body only when somebody asks for it. */
interface ApiPromise<T> {
  responsePromise: Promise<unknown>
  parseResponse: (...args: unknown[]) => Promise<T>
  asResponse(): Promise<unknown>
}

interface Stream<Chunk> {
  iterator: () => AsyncIterator<Chunk>
  readonly controller?: AbortController
}

/** How one API of a provider answers, whole and streamed. */
export interface AnswerReader<Answer, Chunk> {
  read(answer: Answer): ModelAnswer
  assembler(): AnswerAssembler<Chunk>
}

type Create<Body> = (this: object, body: Body, ...rest: unknown[]) => unknown

/** Watches the `create` of OpenAI's and Anthropic's resources. */
export function patchCreate<Body, Answer, Chunk>(
  prototype: object | undefined,
  framework: string,
  describe: (body: Body) => ModelRequest,
  reader: AnswerReader<Answer, Chunk>,
): void {
  patchMethod(prototype, 'create', (original) => {
    const create = original as unknown as Create<Body>
    return function (this: object, body: Body, ...rest: unknown[]) {
      const call = startModelCall(framework, () => describe(body))
      if (!call) return create.call(this, body, ...rest)
      try {
        const promise = create.call(this, body, ...rest)
        quietly(() => observeApiPromise(call, promise as ApiPromise<Answer | Stream<Chunk>>, reader))
        return promise
      } catch (error) {
        quietly(() => failModelCall(call, error))
        throw error
      }
    }
  })
}

/**
 * Watches a client's promise without making it read anything that it would not read anyway: it is the same
 * promise, and a rejection that nobody handles is still one.
 */
function observeApiPromise<Answer, Chunk>(
  call: ModelCall,
  api: ApiPromise<Answer | Stream<Chunk>>,
  reader: AnswerReader<Answer, Chunk>,
): void {
  const { parseResponse } = api
  let parsed = false
  api.responsePromise = api.responsePromise.catch((error) => {
    quietly(() => failModelCall(call, error))
    throw error
  })
  api.parseResponse = async (...args) => {
    parsed = true
    try {
      const answer = await parseResponse.apply(api, args)
      quietly(() => {
        if (isStream<Chunk>(answer)) observeApiStream(call, answer, reader.assembler())
        else completeModelCall(call, reader.read(answer as Answer))
      })
      return answer
    } catch (error) {
      quietly(() => failModelCall(call, error))
      throw error
    }
  }
  const asResponse = api.asResponse.bind(api)
  Object.defineProperty(api, 'asResponse', {
    configurable: true,
    writable: true,
    value: async () => {
      const response = await asResponse()
      // Whoever takes the raw response alone reads it out of our sight.
      if (!parsed) call.operation.complete()
      return response
    },
  })
}

function isStream<Chunk>(answer: unknown): answer is Stream<Chunk> {
  return typeof (answer as Stream<Chunk> | undefined)?.iterator === 'function'
}

/** In place, so that the stream's own methods (tee, toReadableStream) are watched too. */
function observeApiStream<Chunk>(
  call: ModelCall,
  stream: Stream<Chunk>,
  assembler: AnswerAssembler<Chunk>,
): void {
  const { iterator } = stream
  stream.iterator = () => observeAnswer(call, iterator.call(stream), assembler, stream.controller?.signal)
}

/** Watches the tools that a client's runner is given: `property` of each is its function. */
export function patchToolRunner<Body, Tool extends object>(
  prototype: object | undefined,
  method: string,
  framework: string,
  tools: (body: Body) => readonly Tool[],
  property: string & keyof Tool,
  describe: (tool: Tool, args: readonly unknown[]) => ToolCall,
): void {
  patchMethod(prototype, method, (original) => {
    const runTools = original as unknown as Create<Body>
    return function (this: object, body: Body, ...rest: unknown[]) {
      quietly(() => {
        for (const tool of tools(body)) {
          patchMethod(tool, property, (run) =>
            observedTool(
              run,
              () => activeRecorder(framework),
              (args) => describe(tool, args),
            ),
          )
        }
      })
      return runTools.call(this, body, ...rest)
    }
  })
}
