import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  activeRecorder,
  type PatchedModule,
} from '../../agents/agent-instrumentation.ts'
import { quietly } from '../../agents/error.ts'
import { observeIterator } from '../../agents/observe.ts'
import { patchExport } from '../../agents/patch.ts'
import { activeScope } from '../../scope.ts'
import { observedOptions } from './options.ts'
import { QueryEvents } from './query-events.ts'
import type { Message, Options } from './types.ts'

interface QueryParams {
  readonly prompt: unknown
  readonly options?: Options
}

type Query = AsyncIterator<Message> & AsyncIterable<Message>
type QueryFunction = (params: QueryParams, ...rest: unknown[]) => Query

interface Exports {
  readonly HOOK_EVENTS?: readonly string[]
}

/**
 * Anthropic's Claude Agent SDK, `@anthropic-ai/claude-agent-sdk` 0.2 and up: replaces `query` to add hooks of ours and
 * to watch the application's own, `canUseTool` and the messages, and reports sessions, prompts, turns, tools, permission
 * requests, decisions, refusals and subagents.
 */
export class ClaudeAgentSdkInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super('claude-agent-sdk', config)
  }

  override modules(): PatchedModule[] {
    const name = '@anthropic-ai/claude-agent-sdk'
    return [
      {
        name,
        since: '0.2.0',
        testedMajor: 0,
        files: ['sdk.mjs'],
        isMain: true,
        replaces: 'query',
        patch: patchQuery,
      },
    ]
  }
}

function patchQuery(exports: Exports): Exports {
  return patchExport(exports, 'query', (original) => {
    const query = original as unknown as QueryFunction
    return function (this: unknown, params: QueryParams, ...rest: unknown[]) {
      const observed = quietly(() => observe(params, exports.HOOK_EVENTS))
      if (!observed) return query.call(this, params, ...rest)
      const messages = query.call(this, observed.params, ...rest)
      quietly(() => follow(messages, observed.events))
      return messages
    }
  })
}

function observe(params: QueryParams, hookEvents: readonly string[] | undefined) {
  const recorder = activeRecorder('claude-agent-sdk')
  if (!recorder) return undefined
  const given = params.options ?? {}
  const isNested = activeScope()?.toolName !== undefined
  const events = new QueryEvents(recorder, isNested, given.abortController?.signal)
  const options = observedOptions(given, events, hookEvents)
  return { events, params: { ...params, options } }
}

/** In place: the query has many methods beside those of an iterator. */
function follow(query: Query, events: QueryEvents): void {
  const watch = (iterator: AsyncIterator<Message>) =>
    observeIterator(iterator, activeScope(), {
      item: (message) => events.message(message),
      end: (finished) =>
        events.ended(finished ? undefined : new DOMException('The query was left', 'AbortError')),
      error: (error) => events.ended(error),
    })
  const own = { next: query.next, return: query.return, throw: query.throw }
  const direct = watch({
    next: (...args) => own.next.apply(query, args),
    return: async (value) => (await own.return?.call(query, value)) ?? { done: true, value },
    throw: async (error) => {
      if (!own.throw) throw error
      return await own.throw.call(query, error)
    },
  })
  const iterate = query[Symbol.asyncIterator].bind(query)
  Object.assign(query, { next: direct.next, return: direct.return, throw: direct.throw })
  Object.defineProperty(query, Symbol.asyncIterator, {
    configurable: true,
    writable: true,
    value: () => watch(iterate()),
  })
}
