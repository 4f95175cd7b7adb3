import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long anything may take before the suite calls it hung. */
export const PATIENCE_MILLIS = 20_000

/** The same promise, but one that fails when it hangs. */
export async function settles<T>(promise: Promise<T>, what: string): Promise<T> {
  const patience = new AbortController()
  const tooLong = sleep(PATIENCE_MILLIS, undefined, { signal: patience.signal }).then(() =>
    assert.fail(`${what} has not settled after ${PATIENCE_MILLIS} ms`),
  )
  try {
    return await Promise.race([promise, tooLong])
  } finally {
    patience.abort()
    tooLong.catch(() => {})
  }
}

/** Tries until it succeeds. */
export async function eventually(attempt: () => Promise<unknown>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MILLIS
  for (;;) {
    try {
      await attempt()
      return
    } catch (error) {
      if (Date.now() > deadline) assert.fail(`${what} still fails after ${PATIENCE_MILLIS} ms: ${error}`)
      await sleep(20)
    }
  }
}
