export const PROTOCOLS = ['otlp-protobuf', 'otlp-json', 'rest'] as const

export type Protocol = (typeof PROTOCOLS)[number]

export interface LoadOptions {
  /** As in `http://127.0.0.1:4318`; without a path it is the protocol's: `/v1/logs` or `/events/batch`. */
  readonly target: string
  /** Default: `otlp-protobuf`. */
  readonly protocol?: Protocol
  /** Kept-alive connections, each one agent with one request in flight. Default: 10. */
  readonly connections?: number
  /** Events a request. Default: 50. */
  readonly records?: number
  /**
   * Events a second, sent on schedule whether or not the target keeps up (open loop). Default: none, the next
   * request goes out when an answer came in (closed loop).
   */
  readonly rate?: number
  /** How long to measure. Default: 10,000. */
  readonly durationMillis?: number
  /** How long to send before measuring begins. Default: 0. */
  readonly warmupMillis?: number
  /** Stop after this many events, rounded up to whole requests. Default: no limit. */
  readonly totalEvents?: number
  /** Compress bodies; costs the generator more than all the rest. Default: false. */
  readonly gzip?: boolean
  /** Headers to send beside the generator's own. */
  readonly headers?: Readonly<Record<string, string>>
  /** Report what happened since the last report this often. Default: only at the end. */
  readonly intervalMillis?: number
}

const HOUR_MILLIS = 3_600_000

export function withDefaults(options: LoadOptions): Required<LoadOptions> {
  const { totalEvents = Number.POSITIVE_INFINITY } = options
  return {
    protocol: 'otlp-protobuf',
    connections: 10,
    records: 50,
    rate: 0,
    durationMillis: Number.isFinite(totalEvents) ? HOUR_MILLIS : 10_000,
    warmupMillis: 0,
    totalEvents,
    gzip: false,
    headers: {},
    intervalMillis: 0,
    ...options,
  }
}

export interface Percentiles {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** What happened since the last one. */
export interface IntervalReport {
  /** Since the first request. */
  readonly elapsedMillis: number
  readonly eventsPerSecond: number
  readonly latencyMillis: Percentiles
}

/** Rates, latencies and CPU are of the measured time only; counts are of the whole run. */
export interface LoadReport {
  readonly protocol: Protocol
  readonly connections: number
  readonly records: number
  /** Every event's id is this and its number in the run as 12 hexadecimal digits. */
  readonly idPrefix: string
  readonly requests: number
  readonly sentEvents: number
  /** In requests answered 2xx, less those that the answer calls rejected. */
  readonly acceptedEvents: number
  /** Rejected one by one within an accepted request. */
  readonly rejectedEvents: number
  /** Due by the schedule and not sent, because every connection waited for an answer. */
  readonly unsentEvents: number
  /** Requests by HTTP status; `none` where the connection broke or no answer came. */
  readonly statuses: Readonly<Record<string, number>>
  /** Numbers of the requests without a 2xx answer; number n has the events from n * records on. */
  readonly unacceptedRequests: readonly number[]
  readonly seconds: number
  readonly eventsPerSecond: number
  readonly bodyBytesPerEvent: number
  /** From the scheduled time of a request to its answer; in closed loop from sending it. */
  readonly latencyMillis: Percentiles
  /** Milliseconds at rising percentiles, for a plot. */
  readonly latencyCurve: readonly (readonly [percentile: number, millis: number])[]
  /** How late the generator itself sent: part of the latency that is not the target's. */
  readonly lateMillis: Percentiles
  readonly cpuSeconds: number
  /** 0 to 1: how busy the generator's event loop was. */
  readonly eventLoopUtilization: number
  /** Why the figures tell of the generator rather than of the target; null when they do not. */
  readonly bottleneck: string | null
}
