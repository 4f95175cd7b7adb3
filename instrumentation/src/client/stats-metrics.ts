import type { BatchObservableResult, MeterProvider } from '@opentelemetry/api'
import type { DropReason } from '../options/types.ts'
import { INSTRUMENTATION_SCOPE } from '../record/resource.ts'

/** What became of the events since the previous flush, and where the rest is now. */
export interface FlushResult {
  readonly delivered: number
  readonly dropped: number
  /** Now in the spool. */
  readonly spooled: number
  /** Still in memory: time was over before they were delivered. */
  readonly pending: number
}

/** Since the client was made. At any time `emitted + adopted` is `delivered + dropped + spooled + pending`. */
export interface ClientStats extends FlushResult {
  readonly emitted: number
  /** Events of processes that had died, found in the spool, and since then delivered or dropped. */
  readonly adopted: number
  readonly droppedByReason: Readonly<Partial<Record<DropReason, number>>>
}

/** Reports a client's stats whenever the provider collects. Returns what ends it. */
export function observeStats(provider: MeterProvider, stats: () => ClientStats): () => void {
  const meter = provider.getMeter(INSTRUMENTATION_SCOPE.name, INSTRUMENTATION_SCOPE.version)
  const emitted = meter.createObservableCounter('agentic_hooks.client.emitted', {
    unit: '{event}',
    description: 'Events that were emitted.',
  })
  const delivered = meter.createObservableCounter('agentic_hooks.client.delivered', {
    unit: '{event}',
    description: 'Events that the destination has stored.',
  })
  const dropped = meter.createObservableCounter('agentic_hooks.client.dropped', {
    unit: '{event}',
    description: 'Events that are lost, by reason.',
  })
  const waiting = meter.createObservableUpDownCounter('agentic_hooks.client.waiting', {
    unit: '{event}',
    description: 'Events that are to be delivered, by where they wait.',
  })
  const instruments = [emitted, delivered, dropped, waiting]
  const observe = (result: BatchObservableResult) => {
    const now = stats()
    result.observe(emitted, now.emitted)
    result.observe(delivered, now.delivered)
    for (const [reason, count] of Object.entries(now.droppedByReason))
      result.observe(dropped, count, { reason })
    result.observe(waiting, now.pending, { place: 'memory' })
    result.observe(waiting, now.spooled, { place: 'spool' })
  }
  meter.addBatchObservableCallback(observe, instruments)
  return () => meter.removeBatchObservableCallback(observe, instruments)
}
