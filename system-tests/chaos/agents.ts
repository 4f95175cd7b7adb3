import { setTimeout as sleep } from 'node:timers/promises'
import { formatTimestamp, nowMicros, uuidv7 } from '@agentic-hooks/events'
import type { Random } from '@agentic-hooks/testing/random'

const MAX_BATCH = 100
const ATTEMPT_TIMEOUT_MILLIS = 10_000
const RETRY_MILLIS = 50

/** What became of the events that the agents sent; every one is in exactly one of the sets. */
export interface Ledger {
  /** Answered with success. */
  readonly acknowledged: Set<string>
  /** Sent, and never answered with success: stored or not. */
  readonly unanswered: Set<string>
  /** Attempts by outcome: `200`, `503`, `ECONNRESET`... */
  readonly attempts: Map<string, number>
}

/** A success, as the agent that it was told to saw it. */
export interface Acknowledgement {
  /** Where the agent sent to. */
  readonly url: string
  readonly headers: Headers
  /** When, as performance.now() has it. */
  readonly sentAt: number
}

export interface AgentOptions {
  readonly count: number
  /** Where each attempt may go. */
  readonly urls: readonly string[]
  readonly onAcknowledged: (acknowledgement: Acknowledgement) => void
  readonly random: Random
  /** Most events a second of all agents together. */
  readonly eventsPerSecond: number
}

/**
 * A swarm that behaves as clients ought to: a batch is sent, with the same ids, until a receiver has
 * acknowledged it. `finish()` lets each agent have its last batch acknowledged; `abandon()` does not wait.
 */
export class Agents {
  readonly ledger: Ledger = { acknowledged: new Set(), unanswered: new Set(), attempts: new Map() }
  readonly #options: AgentOptions
  readonly #running: Promise<unknown>
  #finishing = false
  #abandoned = false

  constructor(options: AgentOptions) {
    this.#options = options
    this.#running = Promise.all(
      Array.from({ length: options.count }, (_, agent) => this.#run(`agent-${agent}`)),
    )
  }

  async finish(): Promise<void> {
    this.#finishing = true
    await this.#running
  }

  async abandon(): Promise<void> {
    this.#abandoned = true
    await this.finish()
  }

  async #run(sessionId: string): Promise<void> {
    const { random, eventsPerSecond, count } = this.#options
    while (!this.#finishing) {
      const size = random.between(1, MAX_BATCH)
      await this.#deliver(Array.from({ length: size }, () => event(sessionId, random)))
      await sleep((size / eventsPerSecond) * count * 1000)
    }
  }

  async #deliver(events: readonly AgentEvent[]): Promise<void> {
    const { acknowledged, unanswered, attempts } = this.ledger
    const { random, urls, onAcknowledged } = this.#options
    for (const { event_id } of events) unanswered.add(event_id)
    const request = random.pick([restRequest, otlpRequest])(events)
    while (!this.#abandoned) {
      const url = random.pick(urls)
      const sentAt = performance.now()
      const { outcome, headers } = await attempt(url + request.path, request.body)
      attempts.set(outcome, (attempts.get(outcome) ?? 0) + 1)
      if (outcome === request.success) {
        onAcknowledged({ url, headers, sentAt })
        for (const { event_id } of events) {
          unanswered.delete(event_id)
          acknowledged.add(event_id)
        }
        return
      }
      await sleep(RETRY_MILLIS)
    }
  }
}

interface AgentEvent {
  readonly event_id: string
  readonly session_id: string
  readonly timestamp: string
  readonly data: object
}

function event(session_id: string, random: Random): AgentEvent {
  return {
    event_id: uuidv7(),
    session_id,
    timestamp: formatTimestamp(nowMicros()),
    data: { tool_name: 'Bash', tool_input: { command: 'x'.repeat(random.between(0, 2_000)) } },
  }
}

function restRequest(events: readonly AgentEvent[]) {
  const body = events.map((event) => ({ ...event, event_type: 'tool_execution_started' }))
  return { path: '/events/batch', success: '202', body: JSON.stringify(body) }
}

function otlpRequest(events: readonly AgentEvent[]) {
  const logRecords = events.map(({ event_id, session_id, timestamp, data }) => ({
    eventName: 'agentic_hooks.tool_execution_started',
    timeUnixNano: `${Date.parse(timestamp)}000000`,
    attributes: [
      attribute('log.record.uid', { stringValue: event_id }),
      attribute('session.id', { stringValue: session_id }),
      attribute('payload', { stringValue: JSON.stringify(data) }),
    ],
  }))
  const resource = { attributes: [attribute('service.name', { stringValue: 'chaos' })] }
  const body = { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'chaos' }, logRecords }] }] }
  return { path: '/v1/logs', success: '200', body: JSON.stringify(body) }
}

function attribute(key: string, value: object) {
  return { key, value }
}

interface Attempt {
  /** The status, or the code of the error when there was no answer. A partial success is none. */
  readonly outcome: string
  readonly headers: Headers
}

async function attempt(url: string, body: string): Promise<Attempt> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MILLIS),
    })
    const text = await response.text()
    const outcome = text.includes('partialSuccess') ? 'partial' : String(response.status)
    return { outcome, headers: response.headers }
  } catch (error) {
    const { name, cause } = error as Error
    const outcome = cause instanceof Error && 'code' in cause ? String(cause.code) : name
    return { outcome, headers: new Headers() }
  }
}
