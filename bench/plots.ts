import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { flameGraph } from './flame-graph.ts'
import type { Frame } from './flame-profile.ts'
import type { Row } from './harness.ts'
import type { IntervalReport } from './load/options.ts'
import { SIZES_CONNECTIONS } from './scaling.ts'
import { lineChart, type Series } from './svg.ts'

/** Draws what the rows of a bench have to show, if anything, and returns the paths. */
export function drawPlots(name: string, rows: readonly Row[], folder: string): string[] {
  const plots = PLOTS[name]?.(rows) ?? {}
  return Object.entries(plots).map(([plot, svg]) => {
    const path = join(folder, `${plot}.svg`)
    writeFileSync(path, svg)
    return path
  })
}

const PLOTS: Readonly<Record<string, (rows: readonly Row[]) => Record<string, string>>> = {
  scaling: (rows) => drawScaling(rows as unknown as readonly ScalingRow[]),
  latency: (rows) => drawLatency(rows as unknown as readonly LatencyRow[]),
  soak: (rows) => drawSoak(rows as unknown as readonly SoakRow[]),
  flame: (rows) => ({
    flame: flameGraph('CPU of the receiver, into PostgreSQL', rows.at(-1)?.frames as Frame),
  }),
}

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

interface SoakSample extends IntervalReport {
  readonly residentBytes: number
}

interface SoakRow {
  readonly samples: readonly SoakSample[]
}

function drawScaling(rows: readonly ScalingRow[]): Record<string, string> {
  const bySize = rows.filter(({ connections }) => connections === SIZES_CONNECTIONS)
  const byAgents = rows.filter(({ connections }) => connections !== SIZES_CONNECTIONS)
  const cost = (name: string, key: 'server µs/event' | 'PostgreSQL µs/event'): Series => ({
    name,
    points: byAgents.map((row) => [row.connections, row[key]]),
  })
  return {
    throughput: lineChart(
      'Throughput against batch size, into PostgreSQL',
      { label: 'events a request', log: true, ticks: bySize.map(({ records }) => records) },
      { label: 'events/s' },
      [{ name: 'receiver', points: bySize.map((row) => [row.records, row['events/s']]) }],
    ),
    cost: lineChart(
      'Cost of an event against the number of agents',
      { label: 'agents, each with a connection', log: true, ticks: byAgents.map((row) => row.connections) },
      { label: 'CPU µs/event' },
      [cost('receiver', 'server µs/event'), cost('PostgreSQL', 'PostgreSQL µs/event')],
    ),
  }
}

const PERCENTILES = [50, 90, 99, 99.9, 99.99]

/** Each further nine takes the same room, as latency distributions are usually drawn. */
function drawLatency(rows: readonly LatencyRow[]): Record<string, string> {
  const place = (percentile: number) => 100 / (100 - percentile)
  return {
    latency: lineChart(
      'Latency of 10,000 events/s over 1,000 connections',
      {
        label: 'percentile',
        log: true,
        ticks: PERCENTILES.map(place),
        format: (x) => `${Number((100 - 100 / x).toFixed(4))}`,
      },
      { label: 'ms from due to durable' },
      rows.map(({ variant, latencyCurve }) => ({
        name: variant,
        points: latencyCurve
          .filter(([percentile]) => percentile >= PERCENTILES[0]! && percentile <= PERCENTILES.at(-1)!)
          .map(([percentile, millis]) => [place(percentile), millis]),
      })),
    ),
  }
}

function drawSoak(rows: readonly SoakRow[]): Record<string, string> {
  const samples = rows.flatMap((row) => row.samples)
  const series = (name: string, value: (sample: SoakSample) => number): Series => ({
    name,
    points: samples.map((sample) => [sample.elapsedMillis / 60_000, value(sample)]),
  })
  const time = { label: 'minutes' }
  return {
    memory: lineChart('Memory of the receiver at 10,000 events/s', time, { label: 'MB resident' }, [
      series('receiver', ({ residentBytes }) => residentBytes / 1e6),
    ]),
    'soak-latency': lineChart('Latency over time at 10,000 events/s', time, { label: 'ms' }, [
      series('p50', ({ latencyMillis }) => latencyMillis.p50),
      series('p99', ({ latencyMillis }) => latencyMillis.p99),
    ]),
  }
}
