import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { expect, it } from 'vitest'
import { HookClient, InMemoryExporter } from '../../src/index.ts'

it('reports its stats as metrics of the provider that it is given', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const client = new HookClient({
    exporter: new InMemoryExporter(),
    meterProvider,
    maxQueueSize: 3,
    logger: new MemoryLogger(),
  })
  for (let n = 0; n < 5; n++) client.emit({ eventType: 'custom', sessionId: 's' })
  await client.flush()
  client.emit({ eventType: 'custom', sessionId: 's' })
  await reader.forceFlush()
  const points = exporter
    .getMetrics()
    .at(-1)!
    .scopeMetrics[0]!.metrics.flatMap(({ descriptor: { name }, dataPoints }) =>
      dataPoints.map(({ value, attributes }) => [
        name.replace('agentic_hooks.client.', ''),
        value,
        attributes,
      ]),
    )
  expect(points).toEqual([
    ['emitted', 6, {}],
    ['delivered', 3, {}],
    ['dropped', 2, { reason: 'queue_full' }],
    ['waiting', 1, { place: 'memory' }],
    ['waiting', 0, { place: 'spool' }],
  ])
  await client.close()
  await meterProvider.shutdown()
})
