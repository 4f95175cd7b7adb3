import { quietly } from '../../agents/error.ts'
import { observed, observeStream } from '../../agents/observe.ts'
import type { Operation } from '../../agents/operation.ts'
import { patchMethod } from '../../agents/patch.ts'
import { insideModelCall, type Scope, scopeStorage } from '../../scope.ts'
import { type AgentRun, currentRun } from './run.ts'
import type { InputItem, Model, ModelProvider, ModelRequest, ModelResponse } from './types.ts'
import { usageOf } from './usage.ts'

/** Models are whatever implements the SDK's interface, so each is wrapped where a runner is given it. */
export function patchProvider(provider: ModelProvider | undefined): void {
  patchMethod(provider, 'getModel', (original) => {
    const getModel = original as unknown as ModelProvider['getModel']
    return function (this: ModelProvider, name?: string) {
      const model = getModel.call(this, name)
      if (!(model instanceof Promise)) return patchedModel(model, name)
      return model.then((resolved) => patchedModel(resolved, name))
    }
  })
}

function patchedModel(model: Model, name: string | undefined): Model {
  quietly(() => patchModel(model, name))
  return model
}

const names = new WeakMap<Model, string>()

export function patchModel(model: string | Model | undefined, name: string | undefined): void {
  if (typeof model !== 'object' || model === null) return
  if (name) names.set(model, name)
  patchMethod(model, 'getResponse', (original) =>
    observed(original, (self: Model, [request]: [ModelRequest]) => {
      const call = start(self, request, false)
      return (
        call && {
          scope: call.scope,
          completed: (response) => complete(call, response as ModelResponse),
          failed: (error) => call.operation.fail(error),
        }
      )
    }),
  )
  patchMethod(model, 'getStreamedResponse', (original) => {
    const getStreamedResponse = original as unknown as Model['getStreamedResponse']
    return function (this: Model, request: ModelRequest) {
      const call = quietly(() => start(this, request, true))
      if (!call) return getStreamedResponse.call(this, request)
      const stream = scopeStorage.run(call.scope, () => getStreamedResponse.call(this, request))
      let response: ModelResponse | undefined
      return observeStream(stream, call.scope, {
        item: (event) => {
          if (event.type === 'response_done') response = event.response
        },
        end: (finished) => (finished ? complete(call, response) : call.operation.leave()),
        error: (error) => call.operation.fail(error),
      })
    }
  })
}

interface ModelCall {
  readonly run: AgentRun
  readonly operation: Operation
  readonly scope: Scope
}

function start(model: Model, { input }: ModelRequest, streaming: boolean): ModelCall | undefined {
  const run = currentRun()
  if (!run) return undefined
  const operation = run.recorder.modelCall(run.agentScope, {
    model: names.get(model) ?? nameOf(model),
    input: run.content(newItems(input)),
    streaming,
  })
  return { run, operation, scope: insideModelCall(run.agentScope) }
}

function complete({ run, operation }: ModelCall, response: ModelResponse | undefined): void {
  const usage = usageOf(response?.usage)
  run.used(usage)
  operation.complete({
    response_id: response?.responseId ?? response?.id,
    usage,
    output: run.content(response?.output),
  })
}

/** A model that was not asked for by name; the SDK's own keep theirs in a member. */
function nameOf(model: Model): string | undefined {
  const { _model, model: name } = model as { _model?: unknown; model?: unknown }
  return [name, _model].find((candidate) => typeof candidate === 'string') ?? model.constructor?.name
}

/** What follows the model's last output: the prompt, or the results of its tool calls. */
function newItems(input: ModelRequest['input']): unknown {
  if (!Array.isArray(input)) return input
  const isOutput = ({ role, type }: InputItem) => role === 'assistant' || type === 'function_call'
  return input.slice(input.findLastIndex(isOutput) + 1)
}
