import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { nowMicros } from '@agentic-hooks/events'
import { Connection, type Response } from './connection.ts'
import { randomIdPrefix } from './ids.ts'
import { MAX_AGENTS } from './markers.ts'
import { Meter } from './meter.ts'
import { type IntervalReport, type LoadOptions, type LoadReport, withDefaults } from './options.ts'
import { Requests, rejectedEvents } from './requests.ts'

/** Connections opened at the same time: fewer than a listen backlog holds. */
const CONNECT_BATCH = 100
/** A connection rests this long after it broke or was refused, so that a target in trouble is not drowned. */
const REST_MILLIS = 100
/** How long to wait for the last answers. */
const DRAIN_MILLIS = 30_000

/**
 * Drives the target and reports; early, with what it has, when the signal aborts.
 * @throws Error when an option is wrong or the target does not take the connections
 */
export async function runLoad(
  options: LoadOptions,
  onInterval: (report: IntervalReport) => void = () => {},
  signal?: AbortSignal,
): Promise<LoadReport> {
  const all = withDefaults(options)
  const meter = new Meter()
  const load = new Load(all, meter)
  try {
    await load.connect()
  } catch (error) {
    await load.stop()
    throw error
  }
  const end = signal ? AbortSignal.any([signal, load.finished]) : load.finished
  const startedAt = performance.now()
  load.start()
  await sleep(all.warmupMillis, end)
  meter.begin()
  const timer = all.intervalMillis
    ? setInterval(() => onInterval(meter.interval(performance.now() - startedAt)), all.intervalMillis)
    : undefined
  await sleep(all.durationMillis, end)
  clearInterval(timer)
  const measured = meter.end()
  await load.stop()
  return { ...load.counts(), ...measured }
}

async function sleep(millis: number, end: AbortSignal): Promise<void> {
  await delay(millis, undefined, { signal: end }).catch(() => {})
}

interface InFlight {
  readonly number: number
  readonly dueMillis: number
}

/**
 * Its states: connecting (until every connection stands), sending (a request goes out when one is due and a
 * connection is idle; a broken connection is replaced), draining (nothing new is sent, answers are awaited),
 * stopped.
 *
 * Due means, at a fixed rate, by the schedule: request n is due n / rate after the start whatever became of
 * those before it, and its latency counts from then, so that a target that stalls cannot hide the requests
 * that it held back (coordinated omission). Without a rate a request is due whenever a connection is idle.
 */
class Load {
  readonly #options: Required<LoadOptions>
  readonly #meter: Meter
  readonly #target: URL
  readonly #idPrefix: string
  readonly #requests: Requests
  /** The end of the run by number of events, in requests. */
  readonly #requestLimit: number
  /** 0 without a rate. */
  readonly #millisPerRequest: number
  readonly #finished = new AbortController()
  readonly #connections = new Set<Connection>()
  /** Taken from the front and put back at the end, so that every agent gets its turn. */
  readonly #idle: Connection[] = []
  readonly #inFlight = new Map<Connection, InFlight>()
  readonly #statuses: Record<string, number> = {}
  readonly #unacceptedRequests: number[] = []
  #sending = false
  #startMillis = 0
  #stopMillis = 0
  #sentRequests = 0
  #acceptedEvents = 0
  #rejectedEvents = 0
  /** Since when at least one connection is idle. */
  #idleSinceMillis = 0
  #timer: NodeJS.Timeout | undefined
  #drained = () => {}

  constructor(options: Required<LoadOptions>, meter: Meter) {
    const { connections, records, rate, target, totalEvents } = options
    this.#options = options
    this.#meter = meter
    this.#target = new URL(target)
    if (this.#target.protocol !== 'http:') throw new Error(`target is ${target}; it must be an http:// URL`)
    if (connections > MAX_AGENTS) throw new Error(`connections is ${connections}; at most ${MAX_AGENTS}`)
    this.#idPrefix = randomIdPrefix()
    this.#requests = new Requests({ ...options, target: this.#target, idPrefix: this.#idPrefix })
    this.#requestLimit = Math.ceil(totalEvents / records)
    this.#millisPerRequest = rate > 0 ? (records / rate) * 1000 : 0
  }

  /** Aborts when the last event of `totalEvents` was answered. */
  get finished(): AbortSignal {
    return this.#finished.signal
  }

  async connect(): Promise<void> {
    for (let agent = 0; agent < this.#options.connections; agent += CONNECT_BATCH) {
      const count = Math.min(CONNECT_BATCH, this.#options.connections - agent)
      await Promise.all(Array.from({ length: count }, (_, index) => this.#open(agent + index)))
    }
  }

  start(): void {
    this.#sending = true
    this.#startMillis = performance.now()
    this.#sendDue()
  }

  async stop(): Promise<void> {
    this.#sending = false
    this.#stopMillis = performance.now()
    clearTimeout(this.#timer)
    if (this.#inFlight.size) {
      const drained = new Promise<void>((resolve) => {
        this.#drained = resolve
      })
      const timer = setTimeout(() => this.#drained(), DRAIN_MILLIS)
      await drained
      clearTimeout(timer)
    }
    for (const connection of [...this.#connections]) {
      this.#closed(connection)
      connection.close()
    }
  }

  counts() {
    const { protocol, connections, records } = this.#options
    const scheduled = this.#millisPerRequest
      ? Math.min((this.#stopMillis - this.#startMillis) / this.#millisPerRequest, this.#requestLimit)
      : 0
    return {
      protocol,
      connections,
      records,
      idPrefix: this.#idPrefix,
      requests: this.#sentRequests,
      sentEvents: this.#sentRequests * records,
      acceptedEvents: this.#acceptedEvents,
      rejectedEvents: this.#rejectedEvents,
      unsentEvents: Math.max(0, Math.floor(scheduled) - this.#sentRequests) * records,
      statuses: this.#statuses,
      unacceptedRequests: this.#unacceptedRequests.sort((a, b) => a - b),
      bodyBytesPerEvent: Math.round(this.#requests.bodyBytes / records),
    }
  }

  async #open(agent: number): Promise<void> {
    const connection = await Connection.open(agent, this.#target, {
      answered: (connection, response) => this.#answered(connection, response),
      closed: (connection) => this.#closed(connection),
    })
    this.#connections.add(connection)
    this.#ready(connection)
  }

  #ready(connection: Connection): void {
    if (!this.#connections.has(connection)) return
    if (!this.#idle.length) this.#idleSinceMillis = performance.now()
    this.#idle.push(connection)
    if (this.#sending) this.#sendDue()
  }

  #sendDue(): void {
    clearTimeout(this.#timer)
    while (this.#idle.length && this.#sentRequests < this.#requestLimit) {
      const now = performance.now()
      const dueMillis = this.#millisPerRequest
        ? this.#startMillis + this.#sentRequests * this.#millisPerRequest
        : now
      if (dueMillis > now) {
        this.#timer = setTimeout(() => this.#sendDue(), dueMillis - now)
        return
      }
      this.#send(this.#idle.shift()!, dueMillis, now)
    }
  }

  #send(connection: Connection, dueMillis: number, now: number): void {
    const number = this.#sentRequests++
    const request = this.#requests.take(number * this.#options.records, connection.agent, nowMicros())
    this.#inFlight.set(connection, { number, dueMillis })
    // What was due while every connection waited for an answer is late by the target's fault, not by ours.
    this.#meter.sent(now - Math.max(dueMillis, this.#idleSinceMillis))
    connection.send(request, () => this.#requests.release(request))
  }

  #answered(connection: Connection, { status, body }: Response): void {
    const inFlight = this.#inFlight.get(connection)
    if (!inFlight) {
      connection.close()
      return
    }
    const { protocol, records } = this.#options
    const ok = status >= 200 && status < 300
    const rejected = ok ? rejectedEvents(protocol, records, body) : 0
    const accepted = ok ? records - rejected : 0
    this.#acceptedEvents += accepted
    this.#rejectedEvents += rejected
    if (ok) this.#meter.answered(performance.now() - inFlight.dueMillis, accepted)
    this.#settle(connection, inFlight, String(status), ok)
    if (ok) this.#ready(connection)
    else setTimeout(() => this.#ready(connection), REST_MILLIS).unref()
  }

  #settle(connection: Connection, { number }: InFlight, status: string, ok: boolean): void {
    this.#inFlight.delete(connection)
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
    if (!ok) this.#unacceptedRequests.push(number)
    if (this.#inFlight.size) return
    if (!this.#sending) this.#drained()
    if (this.#sentRequests === this.#requestLimit) this.#finished.abort()
  }

  #closed(connection: Connection): void {
    if (!this.#connections.delete(connection)) return
    const idle = this.#idle.indexOf(connection)
    if (idle !== -1) this.#idle.splice(idle, 1)
    const inFlight = this.#inFlight.get(connection)
    if (inFlight) this.#settle(connection, inFlight, 'none', false)
    if (this.#sending) void this.#replace(connection.agent)
  }

  async #replace(agent: number): Promise<void> {
    await delay(REST_MILLIS, undefined, { ref: false })
    if (this.#sending) await this.#open(agent).catch(() => this.#replace(agent))
  }
}
