import type { Exporter, ExportResult } from '@agentic-hooks/events'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Admission } from './ingest/admission.ts'
import { Spool, type SpoolStatus } from './storage/spool/spool.ts'

/** The ways in; the only values of the label `protocol`. */
export const PROTOCOLS = ['otlp_protobuf', 'otlp_json', 'rest', 'hook'] as const
export type Protocol = (typeof PROTOCOLS)[number]

const DURATION_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Rendering takes milliseconds of the one thread. */
const RENDERS_PER_SECOND = 10
const BATCH_EVENTS = [1, 10, 50, 100, 250, 512, 1_000, 5_000, 10_000, 50_000, 100_000]

/** What is counted of one way in. */
export interface ProtocolMetrics {
  received(events: number): void
  stored(result: ExportResult, rejectedWhileDecoding: number): void
  /** Events whose sender was told to try again. */
  refused(events: number): void
  /** A request that brought no event, and something that nobody knows. */
  notUnderstood(): void
  /** @param status 499 when the client went away before the answer */
  answered(status: number, millis: number): void
}

/** What is counted of one exporter. */
export interface ExporterMetrics {
  stored(result: ExportResult, millis: number): void
  failed(): void
  retried(): void
}

/** About the process and not about one receiver in it: memory, CPU, garbage collection, event-loop lag. */
let processRegistry: Registry | undefined

function processMetrics(): Registry {
  if (!processRegistry) {
    processRegistry = new Registry()
    collectDefaultMetrics({ register: processRegistry })
  }
  return processRegistry
}

/** Everything that /metrics shows. Label values are fixed sets: nothing that a client sends becomes a label. */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE
  readonly #registry = new Registry()
  readonly #protocols: Record<Protocol, ProtocolMetrics>
  readonly #exporters = new Map<string, ExporterMetrics>()
  #secondStartedAt = Number.NEGATIVE_INFINITY
  #rendersLeft = 0
  #rendered = Promise.resolve('')

  constructor(admission: Admission, exporters: readonly Exporter[]) {
    processMetrics()
    this.#gauges(admission)
    this.#spoolMetrics(exporters.filter((exporter) => exporter instanceof Spool))
    this.#protocols = this.#protocolMetrics()
    const exporterMetrics = this.#exporterMetrics()
    for (const { name } of exporters) this.#exporters.set(name, exporterMetrics(name))
  }

  /**
   * In Prometheus' text format. It is rendered ten times a second at most; whoever asks more often gets a text up to a
   * second old.
   */
  render(): Promise<string> {
    const now = performance.now()
    if (now - this.#secondStartedAt >= 1_000) {
      this.#secondStartedAt = now
      this.#rendersLeft = RENDERS_PER_SECOND
    }
    if (this.#rendersLeft > 0) {
      this.#rendersLeft--
      this.#rendered = Registry.merge([this.#registry, processMetrics()]).metrics()
    }
    return this.#rendered
  }

  protocol(protocol: Protocol): ProtocolMetrics {
    return this.#protocols[protocol]
  }

  exporter(name: string): ExporterMetrics {
    return this.#exporters.get(name)!
  }

  #gauges(admission: Admission): void {
    const startedAt = performance.now()
    this.#gauge('hooks_uptime_seconds', 'Time since the receiver started.', () => secondsSince(startedAt))
    this.#gauge(
      'hooks_in_flight_bytes',
      'Bytes of requests received and not yet stored.',
      () => admission.bytesInFlight,
    )
    this.#gauge('hooks_in_flight_limit_bytes', 'MAX_BYTES_IN_FLIGHT.', () => admission.maxBytes)
    this.#gauge(
      'hooks_in_flight_requests',
      'Requests received and not yet stored.',
      () => admission.requestsInFlight,
    )
    this.#gauge(
      'hooks_queue_age_seconds',
      'Age of the oldest request that is not yet stored.',
      () => admission.oldestAgeMillis() / 1000,
    )
  }

  #spoolMetrics(spools: readonly Spool[]): void {
    if (spools.length === 0) return
    const metric = (
      type: typeof Gauge | typeof Counter,
      name: string,
      help: string,
      of: (status: SpoolStatus) => number,
    ) => {
      new type({
        name,
        help,
        labelNames: ['exporter'],
        registers: [this.#registry],
        collect() {
          this.reset()
          for (const spool of spools) this.inc({ exporter: spool.name }, of(spool.status))
        },
      })
    }
    metric(Gauge, 'hooks_spool_events', 'Events on disk, not yet in the exporter.', ({ events }) => events)
    metric(Gauge, 'hooks_spool_bytes', 'Disk space that the spool takes.', ({ bytes }) => bytes)
    metric(Gauge, 'hooks_spool_limit_bytes', 'MAX_SPOOL_BYTES.', ({ maxBytes }) => maxBytes)
    metric(
      Gauge,
      'hooks_spool_age_seconds',
      'Time since the oldest event on disk was spooled.',
      ({ oldestAgeMillis }) => oldestAgeMillis / 1000,
    )
    metric(
      Gauge,
      'hooks_spool_active',
      '1 while new events go to disk because the exporter is down.',
      ({ isSpooling }) => Number(isSpooling),
    )
    metric(
      Counter,
      'hooks_spool_rejected_events_total',
      'Events that the exporter rejected after they were acknowledged; see rejected.jsonl.',
      ({ rejectedEvents }) => rejectedEvents,
    )
    metric(
      Counter,
      'hooks_spool_damaged_files_total',
      'Spool files of which a part could not be read; see *.damaged.',
      ({ damagedFiles }) => damagedFiles,
    )
    metric(
      Counter,
      'hooks_spool_lost_events_total',
      'Acknowledged events that were missing from their spool files.',
      ({ lostEvents }) => lostEvents,
    )
    metric(
      Gauge,
      'hooks_spool_stuck_files',
      'Spool files that cannot be read, stored or removed for now.',
      ({ stuckFiles }) => stuckFiles,
    )
    metric(
      Gauge,
      'hooks_spool_set_aside_bytes',
      'Rejected events and damaged files, which wait for the command spool restore.',
      ({ setAsideBytes }) => setAsideBytes,
    )
  }

  #protocolMetrics(): Record<Protocol, ProtocolMetrics> {
    const received = this.#counter('hooks_events_received_total', 'Events decoded from requests.', [
      'protocol',
    ])
    const accepted = this.#counter('hooks_events_accepted_total', 'Events answered with success.', [
      'protocol',
    ])
    const duplicate = this.#counter('hooks_events_duplicate_total', 'Accepted events stored before.', [
      'protocol',
    ])
    const rejected = this.#counter('hooks_events_rejected_total', 'Events that can never be stored.', [
      'protocol',
    ])
    const refused = this.#counter(
      'hooks_events_refused_total',
      'Events decoded and then not accepted, to be sent again: 503, or their client left.',
      ['protocol'],
    )
    const notUnderstood = this.#counter(
      'hooks_requests_not_understood_total',
      'Requests answered with success that brought no event, and something of no known name.',
      ['protocol'],
    )
    const durations = new Histogram({
      name: 'hooks_request_duration_seconds',
      help: 'Time from a request to its answer; code is the HTTP status, 499 when the client left before.',
      labelNames: ['protocol', 'code'],
      buckets: DURATION_SECONDS,
      registers: [this.#registry],
    })
    const sizes = new Histogram({
      name: 'hooks_batch_size_events',
      help: 'Events in a request.',
      labelNames: ['protocol'],
      buckets: BATCH_EVENTS,
      registers: [this.#registry],
    })
    const of = (protocol: Protocol): ProtocolMetrics => {
      // A bound child: looking labels up costs more than counting.
      const [
        receivedHere,
        acceptedHere,
        duplicateHere,
        rejectedHere,
        refusedHere,
        notUnderstoodHere,
        sizesHere,
      ] = [
        received.labels(protocol),
        accepted.labels(protocol),
        duplicate.labels(protocol),
        rejected.labels(protocol),
        refused.labels(protocol),
        notUnderstood.labels(protocol),
        sizes.labels(protocol),
      ]
      const durationsHere: Record<number, Histogram.Internal<'protocol' | 'code'>> = {}
      for (const counter of [
        receivedHere,
        acceptedHere,
        duplicateHere,
        rejectedHere,
        refusedHere,
        notUnderstoodHere,
      ])
        counter.inc(0)
      return {
        received(events) {
          receivedHere.inc(events)
          sizesHere.observe(events)
        },
        stored({ stored, duplicates, rejected }, rejectedWhileDecoding) {
          acceptedHere.inc(stored + duplicates)
          if (duplicates) duplicateHere.inc(duplicates)
          if (rejected.length + rejectedWhileDecoding)
            rejectedHere.inc(rejected.length + rejectedWhileDecoding)
        },
        refused: (events) => refusedHere.inc(events),
        notUnderstood: () => notUnderstoodHere.inc(),
        answered(status, millis) {
          durationsHere[status] ??= durations.labels(protocol, String(status))
          durationsHere[status].observe(millis / 1000)
        },
      }
    }
    return Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, of(protocol)])) as Record<
      Protocol,
      ProtocolMetrics
    >
  }

  #exporterMetrics(): (exporter: string) => ExporterMetrics {
    const stored = this.#counter(
      'hooks_events_stored_total',
      'Events made durable, by the exporter or its spool.',
      ['exporter'],
    )
    const errors = this.#counter('hooks_storage_errors_total', 'Attempts to store a batch that failed.', [
      'exporter',
    ])
    const retries = this.#counter('hooks_export_retries_total', 'Attempts after a failed one.', ['exporter'])
    const durations = new Histogram({
      name: 'hooks_export_duration_seconds',
      help: 'Time that an exporter took to make a batch durable.',
      labelNames: ['exporter'],
      buckets: DURATION_SECONDS,
      registers: [this.#registry],
    })
    return (exporter) => {
      const [storedHere, errorsHere, retriesHere, durationsHere] = [
        stored.labels(exporter),
        errors.labels(exporter),
        retries.labels(exporter),
        durations.labels(exporter),
      ]
      for (const counter of [storedHere, errorsHere, retriesHere]) counter.inc(0)
      return {
        stored(result, millis) {
          storedHere.inc(result.stored)
          durationsHere.observe(millis / 1000)
        },
        failed: () => errorsHere.inc(),
        retried: () => retriesHere.inc(),
      }
    }
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value())
      },
    })
  }
}

function secondsSince(startedAtMillis: number): number {
  return (performance.now() - startedAtMillis) / 1000
}
