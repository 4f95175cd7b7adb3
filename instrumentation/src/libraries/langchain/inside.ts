import { activeRecorder } from '../../agents/agent-instrumentation.ts'
import { conversationIdIn } from '../../agents/conversation.ts'
import { quietly } from '../../agents/error.ts'
import { observed, observeIterator, runIn } from '../../agents/observe.ts'
import { patchMethod } from '../../agents/patch.ts'
import { insideModelCall, insideTool, type Scope } from '../../scope.ts'
import { isHookEventsHandler, modelCallIn } from './handler.ts'

type Iterate = (this: object, ...args: unknown[]) => AsyncIterableIterator<unknown>

/**
 * A raw client that a model uses must not report the model's call again; and LangChain tells nobody when a
 * stream's reader goes away.
 */
export function patchChatModel(prototype: object | undefined): void {
  patchMethod(prototype, 'generate', (original) =>
    observed(original, (_model: object, args: unknown[]) => {
      const scope = modelScope(args)
      return scope && runIn(scope)
    }),
  )
  patchMethod(prototype, '_streamIterator', (original) => {
    const iterate = original as unknown as Iterate
    return function (this: object, ...args: unknown[]) {
      const scope = quietly(() => modelScope(args))
      const iterator = iterate.apply(this, args)
      if (!scope) return iterator
      return observeIterator(iterator, scope, {
        end: (finished) => {
          if (!finished) modelCallIn(scope)?.leave()
        },
        error() {},
      })
    }
  })
}

/** A server's client that a tool only adapts must not report the tool's call again. */
export function patchTool(prototype: object | undefined): void {
  patchMethod(prototype, 'call', (original) =>
    observed(original, (tool: { name: string }, args: unknown[]) => {
      const scope = toolScope(tool, args)
      return scope && runIn(scope)
    }),
  )
}

interface CallConfig {
  readonly callbacks?: unknown
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly configurable?: Readonly<Record<string, unknown>>
  readonly toolCall?: { readonly id?: string }
}

/** The scope of the run that a call belongs to: its callbacks have the handler of that run. */
function scopeOf(config: CallConfig | undefined, ...otherCallbacks: unknown[]): Scope | undefined {
  const recorder = activeRecorder('langchain')
  if (!recorder) return undefined
  for (const callbacks of [config?.callbacks, config, ...otherCallbacks]) {
    const handlers = (callbacks as { handlers?: unknown } | undefined)?.handlers ?? callbacks
    const handler = Array.isArray(handlers) && handlers.find(isHookEventsHandler)
    if (handler) return handler.scope
  }
  const metadata = { ...config?.metadata, ...config?.configurable }
  return recorder.scope({ conversationId: conversationIdIn(metadata), metadata })
}

function modelScope(args: readonly unknown[]): Scope | undefined {
  const scope = scopeOf(args[1] as CallConfig | undefined, args[2])
  return scope && insideModelCall(scope)
}

function toolScope({ name }: { name: string }, [arg, config]: unknown[]): Scope | undefined {
  const scope = scopeOf(config as CallConfig | undefined)
  const id = (config as CallConfig | undefined)?.toolCall?.id ?? (arg as { id?: string } | undefined)?.id
  return scope && insideTool(scope, { name, id })
}
