import type { BatchObservableResult, MeterProvider } from '@opentelemetry/api'
import { INSTRUMENTATION_SCOPE } from '../record/resource.ts'
import type { ClientStats } from './client.ts'

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
