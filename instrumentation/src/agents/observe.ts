import { type ActiveScope, scopeStorage } from '../scope.ts'
import { quietly } from './error.ts'

/** What watches one call: told of its end once, whichever it is. */
export interface Observation {
  /** What the call runs in. */
  readonly scope: ActiveScope
  completed(value: unknown): void
  failed(error: unknown): void
}

/** Only runs the call in a scope; something else tells of its end. */
export function runIn(scope: ActiveScope): Observation {
  return { scope, completed() {}, failed() {} }
}

type AnyFunction = (this: never, ...args: never[]) => unknown

/**
 * The function, watched: `start` is asked before each call and may decline. The result is what the function
 * returns, a promise passed through `then`.
 *
 * A stack trace has ten frames, and those of the application come last. So a call adds one frame to it and an
 * `await` none: no closure, no AsyncLocalStorage.run, no async function.
 */
export function observed<Self, Args extends unknown[]>(
  original: AnyFunction,
  start: (self: Self, args: Args) => Observation | undefined,
): (this: Self, ...args: Args) => unknown {
  const call = original as unknown as (...args: Args) => unknown
  return function (this: Self, ...args: Args) {
    const observation = quietly(() => start(this, args))
    if (!observation) return call.apply(this as never, args)
    const around = scopeStorage.getStore()
    scopeStorage.enterWith(observation.scope)
    let result: unknown
    try {
      result = call.apply(this as never, args)
    } catch (error) {
      quietly(() => observation.failed(error))
      throw error
    } finally {
      scopeStorage.enterWith(around as ActiveScope)
    }
    if (isThenable(result)) return settled(result, observation)
    quietly(() => observation.completed(result))
    return result
  }
}

function settled(promise: PromiseLike<unknown>, observation: Observation): PromiseLike<unknown> {
  return promise.then(
    (value) => {
      quietly(() => observation.completed(value))
      return value
    },
    (error) => {
      quietly(() => observation.failed(error))
      throw error
    },
  )
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

export interface StreamObserver<T> {
  item?(item: T): void
  /** Read to its end, or left early by its reader. */
  end(finished: boolean): void
  error(error: unknown): void
}

/** The same stream, watched; what produces it runs in the given scope. */
export function observeStream<T>(
  stream: AsyncIterable<T>,
  scope: ActiveScope | undefined,
  observer: StreamObserver<T>,
): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => observeIterator(stream[Symbol.asyncIterator](), scope, observer) }
}

export function observeIterator<T>(
  iterator: AsyncIterator<T>,
  scope: ActiveScope | undefined,
  observer: StreamObserver<T>,
): AsyncIterableIterator<T> {
  type Step = (this: AsyncIterator<T>, ...args: unknown[]) => Promise<IteratorResult<T>>
  const within = (step: unknown) => {
    if (!step || !scope) return step as Step | undefined
    return observed(step as AnyFunction, () => runIn(scope)) as Step
  }
  const next = within(iterator.next)!
  const doReturn = within(iterator.return)
  const doThrow = within(iterator.throw)
  const ended = (error: unknown): never => {
    quietly(() => observer.error(error))
    throw error
  }
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: (...args) =>
      next.apply(iterator, args).then((result) => {
        quietly(() => (result.done ? observer.end(true) : observer.item?.(result.value)))
        return result
      }, ended),
    async return(value) {
      quietly(() => observer.end(false))
      return (await doReturn?.call(iterator, value)) ?? { done: true, value }
    },
    async throw(error) {
      quietly(() => observer.error(error))
      if (!doThrow) throw error
      return await doThrow.call(iterator, error)
    },
  }
}
