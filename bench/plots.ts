import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RESULTS } from './harness.ts'
import { lineChart, type Series } from './svg.ts'

/*
 * Draws docs/plots/*.svg from bench/results: `npm run bench -- scaling latency soak`, then this file.
 */

const FOLDER = join(import.meta.dirname, '../docs/plots')

interface ScalingRow {
  readonly connections: number
  readonly records: number
  readonly 'events/s': number
  readonly 'server µs/event': number
  readonly 'PostgreSQL µs/event': number
}

interface LatencyRow {
  readonly variant: string
  readonly latencyCurve: readonly (readonly [percentile: number, millis: number])[]
}

interface SoakRow {
  readonly samples: readonly {
    elapsedMillis: number
    residentBytes: number
    latencyMillis: { p50: number; p99: number }
  }[]
}

function rowsOf<Row>(name: string): readonly Row[] {
  return (JSON.parse(readFileSync(join(RESULTS, `${name}.json`), 'utf8')) as { rows: Row[] }).rows
}

function draw(name: string, svg: string): void {
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, `${name}.svg`), svg)
}

function drawScaling(): void {
  const rows = rowsOf<ScalingRow>('scaling')
  const bySize = rows.filter(({ connections }) => connections === 20)
  const byAgents = rows.filter(({ connections }) => connections !== 20)
  draw(
    'throughput',
    lineChart(
      'Throughput against batch size, into PostgreSQL',
      { label: 'events a request', log: true, ticks: bySize.map(({ records }) => records) },
      { label: 'events/s' },
      [{ name: 'receiver', points: bySize.map((row) => [row.records, row['events/s']]) }],
    ),
  )
  const cost = (name: string, key: 'server µs/event' | 'PostgreSQL µs/event'): Series => ({
    name,
    points: byAgents.map((row) => [row.connections, row[key]]),
  })
  draw(
    'cost',
    lineChart(
      'Cost of an event against the number of agents',
      {
        label: 'agents, each with a connection',
        log: true,
        ticks: byAgents.map(({ connections }) => connections),
      },
      { label: 'CPU µs/event' },
      [cost('receiver', 'server µs/event'), cost('PostgreSQL', 'PostgreSQL µs/event')],
    ),
  )
}

/** Percentiles so that each nine takes the same room, as latency distributions are usually drawn. */
function drawLatency(): void {
  const percentiles = [50, 90, 99, 99.9, 99.99]
  const place = (percentile: number) => 100 / (100 - percentile)
  draw(
    'latency',
    lineChart(
      'Latency of 10,000 events/s over 1,000 connections',
      {
        label: 'percentile',
        log: true,
        ticks: percentiles.map(place),
        format: (x) => `${Number((100 - 100 / x).toFixed(4))}`,
      },
      { label: 'ms from due to durable' },
      rowsOf<LatencyRow>('latency').map(({ variant, latencyCurve }) => ({
        name: variant,
        points: latencyCurve
          .filter(([percentile]) => percentile >= 50 && percentile <= 99.99)
          .map(([percentile, millis]) => [place(percentile), millis]),
      })),
    ),
  )
}

function drawSoak(): void {
  const samples = rowsOf<SoakRow>('soak').flatMap((row) => row.samples)
  const series = (name: string, value: (sample: (typeof samples)[number]) => number): Series => ({
    name,
    points: samples.map((sample) => [sample.elapsedMillis / 60_000, value(sample)]),
  })
  draw(
    'memory',
    lineChart(
      'Memory of the receiver over time, 10,000 events/s',
      { label: 'minutes' },
      { label: 'MB resident' },
      [series('receiver', ({ residentBytes }) => residentBytes / 1e6)],
    ),
  )
  draw(
    'soak-latency',
    lineChart('Latency over time, 10,000 events/s', { label: 'minutes' }, { label: 'ms' }, [
      series('p50', ({ latencyMillis }) => latencyMillis.p50),
      series('p99', ({ latencyMillis }) => latencyMillis.p99),
    ]),
  )
}

drawScaling()
drawLatency()
drawSoak()
