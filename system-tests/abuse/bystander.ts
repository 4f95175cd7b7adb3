import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { send } from '@agentic-hooks/testing/http'

const INTERVAL_MILLIS = 10

export interface Experience {
  readonly requests: number
  /** Requests without a 202. */
  readonly failures: number
  readonly p50Millis: number
  readonly p99Millis: number
  readonly maxMillis: number
}

/** A well-behaved client: posts an event every few milliseconds until the signal, and tells how that went. */
export async function bystand(url: URL, signal: AbortSignal): Promise<Experience> {
  const agent = new http.Agent({ keepAlive: true })
  const millis: number[] = []
  let failures = 0
  const postOne = async () => {
    const startedAt = performance.now()
    const request = {
      path: '/events',
      headers: { 'content-type': 'application/json' },
      body: '{"event_type":"custom","session_id":"bystander"}',
    }
    const answer = await send(url.origin, request, agent).catch(() => null)
    millis.push(performance.now() - startedAt)
    if (answer?.status !== 202) failures++
  }
  const pending: Promise<void>[] = []
  while (!signal.aborted) {
    pending.push(postOne())
    await sleep(INTERVAL_MILLIS)
  }
  await Promise.all(pending)
  agent.destroy()
  millis.sort((a, b) => a - b)
  const quantile = (q: number) => millis[Math.min(Math.floor(millis.length * q), millis.length - 1)]!
  return {
    requests: millis.length,
    failures,
    p50Millis: quantile(0.5),
    p99Millis: quantile(0.99),
    maxMillis: millis.at(-1)!,
  }
}
