import { type BenchOptions, interleaved, median, medianRows, type Row } from './harness.ts'
import { measureReceiver } from './measure.ts'
import { treeCpuSeconds } from './processes.ts'
import { rawCopy } from './raw-copy.ts'
import { jsonlStorage, type PostgresStorage, postgresStorage, type Storage } from './storage.ts'

export const question =
  'How much does the whole receiver store, and how near is that to what PostgreSQL itself can take?'

const LOAD = { connections: 16, records: 512 }
/** As many connections as the exporter has, and about the megabyte that it writes in one COPY. */
const RAW = { connections: 2, rows: 2_048 }
const PRELOADED_ROWS = 5_000_000
const PRELOAD_STEP_MILLIS = 3_000

export async function run({ runs = 3, durationMillis = 5_000 }: BenchOptions = {}): Promise<readonly Row[]> {
  const postgres = await postgresStorage()
  const jsonl = await jsonlStorage()
  try {
    const empty = await interleaved(
      {
        'raw COPY → PostgreSQL': () => onEmpty(postgres, () => copyRaw(postgres, durationMillis)),
        'OTLP → PostgreSQL': () => onEmpty(postgres, () => receive(postgres, durationMillis)),
        'OTLP → JSONL': () => onEmpty(jsonl, () => receive(jsonl, durationMillis)),
      },
      runs,
    )
    await preload(postgres)
    const preloaded = await interleaved(
      {
        'raw COPY → 5M rows': () => copyRaw(postgres, durationMillis),
        'OTLP → 5M rows': () => receive(postgres, durationMillis),
      },
      Math.ceil(runs / 2),
    )
    return [
      ...withShare(
        medianRows(empty),
        'OTLP → PostgreSQL',
        empty['OTLP → PostgreSQL'],
        empty['raw COPY → PostgreSQL'],
      ),
      ...withShare(
        medianRows(preloaded),
        'OTLP → 5M rows',
        preloaded['OTLP → 5M rows'],
        preloaded['raw COPY → 5M rows'],
      ),
    ]
  } finally {
    await postgres.stop()
    await jsonl.stop()
  }
}

async function onEmpty(storage: Storage, measure: () => Promise<Row>): Promise<Row> {
  await storage.clear()
  return measure()
}

async function receive(storage: Storage, durationMillis: number): Promise<Row> {
  return { ...(await measureReceiver(storage, { ...LOAD, durationMillis })), report: undefined }
}

async function copyRaw({ url, postgresPid }: PostgresStorage, durationMillis: number): Promise<Row> {
  const before = treeCpuSeconds(postgresPid)
  const { rows, seconds, cpuSeconds } = await rawCopy({ url, ...RAW, durationMillis })
  const postgres = treeCpuSeconds(postgresPid) - before
  return {
    'events/s': rows / seconds,
    'PostgreSQL µs/event': (postgres * 1e6) / rows,
    'generator µs/event': (cpuSeconds * 1e6) / rows,
    'events/CPU-s': rows / (postgres + cpuSeconds),
  }
}

async function preload(storage: PostgresStorage): Promise<void> {
  for (let missing = PRELOADED_ROWS - (await storage.count()); missing > 0; ) {
    missing -= (await rawCopy({ url: storage.url, ...RAW, durationMillis: PRELOAD_STEP_MILLIS })).rows
  }
}

/** Adds to one row the median share that each run of it reached of its neighbour, the raw COPY. */
function withShare(rows: readonly Row[], variant: string, runs: readonly Row[], raw: readonly Row[]): Row[] {
  const shares = runs.map((run, index) => Number(run['events/s']) / Number(raw[index]?.['events/s']))
  return rows.map((row) => (row.variant === variant ? { ...row, 'of raw COPY': median(shares) } : row))
}
