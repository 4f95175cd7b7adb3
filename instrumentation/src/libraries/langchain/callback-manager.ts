import { activeRecorder } from '../../agents/agent-instrumentation.ts'
import { conversationIdIn } from '../../agents/conversation.ts'
import { quietly } from '../../agents/error.ts'
import { patchMethod } from '../../agents/patch.ts'
import { HookEventsHandler, isHookEventsHandler } from './handler.ts'

interface CallbackManager {
  readonly handlers: readonly object[]
  addHandler(handler: object, inherit: boolean): void
}

export interface CallbackManagerClass {
  new (): CallbackManager
}

type Metadata = Readonly<Record<string, unknown>>
interface Options {
  readonly tracerInheritableMetadata?: Metadata
}

type ConfigureSync = (this: CallbackManagerClass, ...args: unknown[]) => CallbackManager | undefined

/**
 * Every run of LangChain asks `_configureSync` for its callback manager and hands it on to the runs inside it: the
 * first one gets a handler of its own, which then sees the whole tree of runs.
 */
export function patchCallbackManager(callbackManager: CallbackManagerClass | undefined): void {
  patchMethod(callbackManager, '_configureSync', (original) => {
    const configureSync = original as unknown as ConfigureSync
    return function (this: CallbackManagerClass, ...args: unknown[]) {
      const manager = configureSync.apply(this, args)
      return quietly(() => withHandler(this, manager, args)) ?? manager
    }
  })
}

function withHandler(
  Manager: CallbackManagerClass,
  manager: CallbackManager | undefined,
  args: readonly unknown[],
): CallbackManager | undefined {
  const recorder = activeRecorder('langchain')
  if (!recorder || manager?.handlers.some(isHookEventsHandler)) return manager
  const [, , , , metadata, localMetadata, options] = args as Metadata[]
  const known = {
    ...metadata,
    ...localMetadata,
    ...(options as Options | undefined)?.tracerInheritableMetadata,
  }
  const scope = recorder.scope({ conversationId: conversationIdIn(known), metadata: known })
  const configured = manager ?? new Manager()
  configured.addHandler(new HookEventsHandler(recorder, scope), true)
  return configured
}
