import { type BenchOptions, median, type Row } from './harness.ts'
import type { IntervalReport } from './load/options.ts'
import { startLoad } from './load/start.ts'
import { residentBytes } from './processes.ts'
import { startReceiver } from './servers.ts'
import { postgresStorage } from './storage.ts'

export const question = 'Do memory and latency stay flat over hours?'

const HOUR_MILLIS = 3_600_000
const SLICES = 10
const SAMPLES_PER_SLICE = 12

interface Sample extends IntervalReport {
  readonly residentBytes: number
}

export async function run({ durationMillis = HOUR_MILLIS }: BenchOptions = {}): Promise<readonly Row[]> {
  const storage = await postgresStorage()
  const receiver = await startReceiver(storage.environment)
  const samples: Sample[] = []
  try {
    const report = await startLoad(
      {
        target: receiver.url,
        connections: 1_000,
        records: 10,
        rate: 10_000,
        durationMillis,
        intervalMillis: Math.round(durationMillis / SLICES / SAMPLES_PER_SLICE),
      },
      { onInterval: (interval) => samples.push({ ...interval, residentBytes: residentBytes(receiver.pid) }) },
    )
    const missing = report.acceptedEvents - (await storage.count())
    if (missing > 0) throw new Error(`${missing} events were acknowledged and are not in ${storage.name}`)
  } finally {
    await receiver.stop()
    await storage.stop()
  }
  return slices(samples).map((slice) => ({
    minutes: slice.at(-1)!.elapsedMillis / 60_000,
    'events/s': median(slice.map(({ eventsPerSecond }) => eventsPerSecond)),
    'p50 ms': median(slice.map(({ latencyMillis }) => latencyMillis.p50)),
    'p99 ms': median(slice.map(({ latencyMillis }) => latencyMillis.p99)),
    'worst ms': Math.max(...slice.map(({ latencyMillis }) => latencyMillis.max)),
    'receiver MB': median(slice.map((sample) => sample.residentBytes)) / 1e6,
    samples: slice,
  }))
}

function slices(samples: readonly Sample[]): Sample[][] {
  const size = Math.ceil(samples.length / SLICES)
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, index) =>
    samples.slice(index * size, (index + 1) * size),
  )
}
