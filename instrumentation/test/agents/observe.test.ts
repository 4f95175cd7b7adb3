import { describe, expect, it } from 'vitest'
import { observed, observeStream } from '../../src/agents/observe.ts'
import { patchExport, patchMethod } from '../../src/agents/patch.ts'
import { activeScope, type Scope } from '../../src/scope.ts'

const SCOPE: Scope = { sessionId: 'inside' }

function watched<T extends (...args: never[]) => unknown>(fn: T, broken = false) {
  const ends: unknown[] = []
  const failing = () => {
    if (broken) throw new Error('a broken observer')
  }
  const observer = {
    scope: SCOPE,
    completed: (value: unknown) => {
      failing()
      ends.push(['completed', value])
    },
    failed: (error: unknown) => {
      failing()
      ends.push(['failed', error])
    },
  }
  const wrapped = observed(fn, () => observer) as unknown as T
  return { wrapped, ends }
}

describe('a watched call', () => {
  it('runs in its scope across awaits, and its caller does not', async () => {
    const { wrapped } = watched(async () => {
      const before = activeScope()
      await null
      return [before, activeScope()]
    })
    const result = wrapped()
    expect(activeScope()).toBeUndefined()
    expect(await result).toEqual([SCOPE, SCOPE])
    expect(activeScope()).toBeUndefined()
  })

  it('returns, rejects and throws what the call does, at the same time', async () => {
    const error = new Error('mine')
    const sync = watched((value: number) => value + 1)
    expect(sync.wrapped(1)).toBe(2)
    expect(sync.ends).toEqual([['completed', 2]])
    const throwing = watched(() => {
      throw error
    })
    expect(() => throwing.wrapped()).toThrow(error)
    expect(throwing.ends).toEqual([['failed', error]])
    const rejecting = watched(async () => Promise.reject(error))
    await expect(rejecting.wrapped()).rejects.toBe(error)
    expect(rejecting.ends).toEqual([['failed', error]])
  })

  it('is not disturbed by a broken observer', async () => {
    const { wrapped } = watched(async () => 'fine', true)
    expect(await wrapped()).toBe('fine')
    const declined = observed(
      () => 'fine',
      () => {
        throw new Error('a broken observer')
      },
    )
    expect(declined.call(undefined)).toBe('fine')
  })
})

describe('a watched stream', () => {
  async function* numbers() {
    yield 1
    yield 2
  }

  async function read(stream: AsyncIterable<number>, until = Infinity): Promise<number[]> {
    const read: number[] = []
    for await (const item of stream) {
      read.push(item)
      if (item >= until) break
    }
    return read
  }

  function watch(stream: AsyncIterable<number>) {
    const told: unknown[] = []
    const observer = {
      item: (item: number) => told.push(item),
      end: (finished: boolean) => told.push(finished ? 'finished' : 'left'),
      error: (error: unknown) => told.push(error),
    }
    return { stream: observeStream(stream, SCOPE, observer), told }
  }

  it('tells of its items and its end', async () => {
    const { stream, told } = watch(numbers())
    expect(await read(stream)).toEqual([1, 2])
    expect(told).toEqual([1, 2, 'finished'])
  })

  it('tells when its reader leaves, and lets it clean up', async () => {
    const { stream, told } = watch(numbers())
    expect(await read(stream, 1)).toEqual([1])
    expect(told).toEqual([1, 'left'])
  })

  it('tells of the error that its reader gets', async () => {
    const error = new Error('broken off')
    const { stream, told } = watch(
      (async function* () {
        yield 1
        throw error
      })(),
    )
    await expect(read(stream)).rejects.toBe(error)
    expect(told).toEqual([1, error])
  })
})

describe('a patch', () => {
  it('is made once and looks like the original', () => {
    class Library {
      work(_one: number, _two: number) {
        return 'work'
      }
    }
    const wrap = (original: () => unknown) => () => `patched ${original()}`
    patchMethod(Library.prototype, 'work', wrap)
    patchMethod(Library.prototype, 'work', wrap)
    const library = new Library()
    expect(library.work(1, 2)).toBe('patched work')
    expect([library.work.name, library.work.length, Object.keys(library)]).toEqual(['work', 2, []])
  })

  it('leaves alone what cannot be changed', () => {
    const frozen = Object.freeze({ work: () => 'work' })
    patchMethod(frozen, 'work', () => () => 'patched')
    expect(frozen.work()).toBe('work')
    patchMethod({}, 'nothing', () => () => 'patched')
    patchMethod(undefined, 'nothing', () => () => 'patched')
  })

  it('of a frozen namespace is a copy with everything else in it', async () => {
    const namespace = await import('../../src/agents/error.ts')
    const copy = patchExport(namespace, 'isAbort', () => () => 'patched')
    expect(copy.isAbort(null)).toBe('patched')
    expect(namespace.isAbort(null)).toBe(false)
    expect(copy.describeError).toBe(namespace.describeError)
    expect(patchExport(copy, 'isAbort', () => () => 'again').isAbort(null)).toBe('patched')
  })
})
