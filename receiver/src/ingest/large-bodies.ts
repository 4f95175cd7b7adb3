import { setImmediate } from 'node:timers/promises'

/** One turn of the event loop accepts one new connection; an idle one takes some microseconds. */
const LOOP_TURNS_BETWEEN = 64

/**
 * Lets one after the other work, some turns of the event loop apart: between two large bodies whatever else has
 * arrived in the meantime is served. Without it, all that become complete at once would be decoded in a row.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves or rejects as the work does. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(giveWay).then(work)
    this.#last = done.catch(() => {})
    return done
  }
}

const SLICE_MILLIS = 5

/** Takes steps of some work for five milliseconds, or to its end; undefined when it is not there yet. */
export function takeSteps<T>(work: Generator<undefined, T, undefined>): T | undefined {
  const endsAt = performance.now() + SLICE_MILLIS
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    if (performance.now() >= endsAt) return undefined
  }
}

/** Lets everything else go first that is ready now. */
export async function giveWay(): Promise<void> {
  for (let turn = 0; turn < LOOP_TURNS_BETWEEN; turn++) await setImmediate()
}
