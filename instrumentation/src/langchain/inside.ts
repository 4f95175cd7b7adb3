import { activeRecorder } from '../agent-events/agent-instrumentation.ts'
import { quietly } from '../agent-events/error.ts'
import { patchMethod } from '../agent-events/patch.ts'
import { insideModelCall, insideTool } from '../agent-events/recorder.ts'
import { activeScope, type Scope, scopeStorage } from '../agent-events/scope.ts'
import { observeIterator } from '../agent-events/stream.ts'
import { isHookEventsHandler } from './handler.ts'

type AsyncMethod = (this: object, ...args: unknown[]) => Promise<unknown>
type Iterate = (this: object, ...args: unknown[]) => AsyncIterableIterator<unknown>

/** A raw client that a model uses must not report the model's call again. */
export function patchChatModel(prototype: object | undefined): void {
  patchMethod(prototype, 'generate', (original) => {
    const generate = original as unknown as AsyncMethod
    return async function (this: object, ...args: unknown[]) {
      const scope = quietly(() => modelScope(args))
      if (!scope) return await generate.apply(this, args)
      return await scopeStorage.run(scope, () => generate.apply(this, args))
    }
  })
  patchMethod(prototype, '_streamIterator', (original) => {
    const iterate = original as unknown as Iterate
    return function (this: object, ...args: unknown[]) {
      const scope = quietly(() => modelScope(args))
      const iterator = iterate.apply(this, args)
      return scope ? observeIterator(iterator, scope, { end() {}, error() {} }) : iterator
    }
  })
}

/** A server's client that a tool only adapts must not report the tool's call again. */
export function patchTool(prototype: object | undefined): void {
  patchMethod(prototype, 'call', (original) => {
    const call = original as unknown as AsyncMethod
    return async function (this: object, ...args: unknown[]) {
      const scope = quietly(() => toolScope(this as { name: string }, args))
      if (!scope) return await call.apply(this, args)
      return await scopeStorage.run(scope, () => call.apply(this, args))
    }
  })
}

interface CallConfig {
  readonly callbacks?: unknown
  readonly toolCall?: { readonly id?: string }
}

/** The scope of the run that a call belongs to: its callbacks have the handler of that run. */
function scopeOf(...configs: unknown[]): Scope | undefined {
  const recorder = activeRecorder('langchain')
  if (!recorder) return undefined
  for (const config of configs) {
    const callbacks = (config as CallConfig | undefined)?.callbacks ?? config
    const handlers = (callbacks as { handlers?: unknown } | undefined)?.handlers ?? callbacks
    const handler = Array.isArray(handlers) && handlers.find(isHookEventsHandler)
    if (handler) return handler.scope
  }
  return activeScope() ?? recorder.scope()
}

function modelScope(args: readonly unknown[]): Scope | undefined {
  const scope = scopeOf(...args.slice(1))
  return scope && insideModelCall(scope)
}

function toolScope({ name }: { name: string }, [arg, config]: unknown[]): Scope | undefined {
  const scope = scopeOf(config)
  const id = (config as CallConfig | undefined)?.toolCall?.id ?? (arg as { id?: string } | undefined)?.id
  return scope && insideTool(scope, { name, id })
}
