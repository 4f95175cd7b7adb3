import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchOptions, interleaved, medianRows, type Row } from './harness.ts'
import type { Protocol } from './load/options.ts'
import { startLoad } from './load/start.ts'
import { measureLoad, measureReceiver } from './measure.ts'
import { startCollector } from './peers/collector.ts'
import { startFastApi } from './peers/fastapi.ts'
import type { Server } from './servers.ts'
import { jsonlStorage, postgresStorage } from './storage.ts'

export const question = 'How does the receiver compare with what one would use instead?'

const LOAD = { connections: 20, records: 200 }
const WARMUP_MILLIS = 1_500

export async function run({ runs = 3, durationMillis = 4_000 }: BenchOptions = {}): Promise<readonly Row[]> {
  const postgres = await postgresStorage()
  const peerPostgres = await postgresStorage()
  const jsonl = await jsonlStorage()
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-bench-'))
  const peer = (start: () => Promise<Server>, protocol: Protocol, postgresPid?: number) => async () => {
    await using server = await start()
    const load = { ...LOAD, protocol, target: server.url, durationMillis }
    await startLoad({ ...load, durationMillis: WARMUP_MILLIS })
    return measureLoad({ serverPid: server.pid, postgresPid }, load)
  }
  const ours = (storage: typeof postgres | typeof jsonl, protocol: Protocol) => async () => {
    await storage.clear()
    return measureReceiver(storage, { ...LOAD, protocol, durationMillis })
  }
  const variants = {
    'receiver, OTLP → PostgreSQL': ours(postgres, 'otlp-protobuf'),
    'receiver, REST → PostgreSQL': ours(postgres, 'rest'),
    'FastAPI + asyncpg, REST → PostgreSQL': peer(
      () => startFastApi(peerPostgres.url),
      'rest',
      peerPostgres.postgresPid,
    ),
    'receiver, OTLP → JSONL': ours(jsonl, 'otlp-protobuf'),
    'OTel Collector, OTLP → file': peer(() => startCollector('file', folder), 'otlp-protobuf'),
    'OTel Collector, OTLP → debug': peer(() => startCollector('debug', folder), 'otlp-protobuf'),
  }
  try {
    return medianRows(await interleaved(variants, runs)).map((row) => ({ ...row, report: undefined }))
  } finally {
    rmSync(folder, { recursive: true })
    for (const storage of [postgres, peerPostgres, jsonl]) await storage.stop()
  }
}
