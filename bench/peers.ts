import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execute } from '@agentic-hooks/testing/postgres'
import { type BenchOptions, interleaved, medianRows, type Row } from './harness.ts'
import type { LoadOptions, Protocol } from './load/options.ts'
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
  const jsonl = await jsonlStorage()
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-bench-'))
  const fastApi = async () => {
    await execute(postgres.url, 'DROP TABLE IF EXISTS agent_events')
    await using server = await startFastApi(postgres.url)
    return await measurePeer(server, { protocol: 'rest', durationMillis }, postgres.postgresPid)
  }
  const collector = (exporter: 'file' | 'debug') => async () => {
    await using server = await startCollector(exporter, folder)
    return await measurePeer(server, { protocol: 'otlp-protobuf', durationMillis })
  }
  const ours = (storage: typeof postgres | typeof jsonl, protocol: Protocol) => async () => {
    await storage.clear()
    return measureReceiver(storage, { ...LOAD, protocol, durationMillis })
  }
  const variants = {
    'receiver, OTLP → PostgreSQL': ours(postgres, 'otlp-protobuf'),
    'receiver, REST → PostgreSQL': ours(postgres, 'rest'),
    'FastAPI + asyncpg, REST → PostgreSQL': fastApi,
    'receiver, OTLP → JSONL': ours(jsonl, 'otlp-protobuf'),
    'OTel Collector, OTLP → file': collector('file'),
    'OTel Collector, OTLP → debug': collector('debug'),
  }
  try {
    return medianRows(await interleaved(variants, runs)).map((row) => ({ ...row, report: undefined }))
  } finally {
    rmSync(folder, { recursive: true })
    for (const storage of [postgres, jsonl]) await storage.stop()
  }
}

async function measurePeer(
  server: Server,
  options: Pick<LoadOptions, 'protocol' | 'durationMillis'>,
  postgresPid?: number,
): Promise<Row> {
  const load = { ...LOAD, ...options, target: server.url }
  await startLoad({ ...load, durationMillis: WARMUP_MILLIS })
  return measureLoad({ serverPid: server.pid, postgresPid }, load)
}
