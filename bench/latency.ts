import { type BenchOptions, interleaved, medianRows, type Row } from './harness.ts'
import type { LoadOptions, LoadReport } from './load/options.ts'
import { measureLoad, measureReceiver } from './measure.ts'
import { startSink } from './servers.ts'
import { jsonlStorage, postgresStorage } from './storage.ts'

export const question =
  'How long does an agent wait for its 200 when 1,000 of them send 10,000 events/s, whatever the receiver does?'

/** What any server in Node takes: it reads each body, and stores nothing. */
const BASELINE = 'bare node:http'
const RATE = 10_000
const CONNECTIONS = 1_000
/** A HookClient that emits ten events a second and sends once a second. */
const RECORDS = 10
/** Until V8 has optimized what a thousand requests a second use; `soak` shows the first seconds too. */
const WARMUP_MILLIS = 6_000

export async function run({ runs = 2, durationMillis = 10_000 }: BenchOptions = {}): Promise<readonly Row[]> {
  const storages = [await postgresStorage(), await jsonlStorage()]
  const load = {
    connections: CONNECTIONS,
    records: RECORDS,
    rate: RATE,
    warmupMillis: WARMUP_MILLIS,
    durationMillis,
  }
  try {
    const rows = await interleaved(
      Object.fromEntries(
        [
          ...storages.map((storage) => [storage.name, () => measureReceiver(storage, load)] as const),
          [BASELINE, () => measureBare(load)] as const,
        ].map(([name, measure]) => [name, async () => latencyRow(await measure())]),
      ),
      runs,
    )
    return medianRows(rows)
  } finally {
    for (const storage of storages) await storage.stop()
  }
}

async function measureBare(load: Omit<LoadOptions, 'target'>): Promise<Row> {
  await using server = await startSink()
  return await measureLoad({ serverPid: server.pid }, { ...load, target: server.url })
}

function latencyRow(row: Row): Row {
  const { latencyMillis, lateMillis, latencyCurve } = row.report as LoadReport
  return {
    'events/s': row['events/s'],
    'p50 ms': latencyMillis.p50,
    'p90 ms': latencyMillis.p90,
    'p99 ms': latencyMillis.p99,
    'p99.9 ms': latencyMillis.p999,
    'max ms': latencyMillis.max,
    'of it generator p50 ms': lateMillis.p50,
    'generator p99 ms': lateMillis.p99,
    'server µs/event': row['server µs/event'],
    'peak MB': row['peak MB'],
    trouble: row.trouble,
    latencyCurve,
  }
}
