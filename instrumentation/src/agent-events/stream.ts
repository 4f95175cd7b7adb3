import { quietly } from './error.ts'
import { type Scope, scopeStorage } from './scope.ts'

export interface StreamObserver<T> {
  item?(item: T): void
  /** Read to its end, or left early by its reader. */
  end(finished: boolean): void
  error(error: unknown): void
}

/** The same stream, watched; what produces it runs in the given scope. */
export function observeStream<T>(
  stream: AsyncIterable<T>,
  scope: Scope | undefined,
  observer: StreamObserver<T>,
): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => observeIterator(stream[Symbol.asyncIterator](), scope, observer) }
}

export function observeIterator<T>(
  iterator: AsyncIterator<T>,
  scope: Scope | undefined,
  observer: StreamObserver<T>,
): AsyncIterableIterator<T> {
  const step = async (advance: () => Promise<IteratorResult<T>>): Promise<IteratorResult<T>> => {
    try {
      const result = await runIn(scope, advance)
      quietly(() => (result.done ? observer.end(true) : observer.item?.(result.value)))
      return result
    } catch (error) {
      quietly(() => observer.error(error))
      throw error
    }
  }
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: (...args) => step(() => iterator.next(...args)),
    async return(value) {
      quietly(() => observer.end(false))
      const result = await runIn(scope, () => iterator.return?.(value))
      return result ?? { done: true, value }
    },
    async throw(error) {
      quietly(() => observer.error(error))
      if (!iterator.throw) throw error
      return await runIn(scope, () => iterator.throw!(error))
    },
  }
}

function runIn<T>(scope: Scope | undefined, run: () => T): T {
  return scope ? scopeStorage.run(scope, run) : run()
}
