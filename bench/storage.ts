import { createReadStream, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createExporter } from '@agentic-hooks/exporter-postgres'
import { execute, startPostgres } from '@agentic-hooks/testing/postgres'
import type { Row } from './harness.ts'
import { postmasterPid } from './processes.ts'

/** Where a server under test stores events. */
export interface Storage {
  readonly name: 'PostgreSQL' | 'JSONL'
  /** What the receiver is started with. */
  readonly environment: Readonly<Record<string, string>>
  readonly postgresPid?: number
  count(): Promise<number>
  clear(): Promise<void>
  stop(): Promise<void>
}

/** Durable in every respect; only memory, WAL that is kept and the room between checkpoints are above their defaults. */
const POSTGRES_SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '1GB',
  min_wal_size: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '15min',
} as const

/**
 * Leaves min_wal_size of segments to be written again, as in a server that has run for a while: in a new one, every
 * 16 MiB a commit would wait until a segment is made, and the 99.9th percentile would tell of nothing else.
 */
const RECYCLE_WAL = `
DO $$ BEGIN
  FOR segment IN 1..64 LOOP
    PERFORM pg_logical_emit_message(false, 'bench', ''), pg_switch_wal();
  END LOOP;
END $$`

export interface PostgresStorage extends Storage {
  readonly postgresPid: number
  readonly url: string
}

/** A PostgreSQL server of the bench's own with the empty tables of hook events. */
export async function postgresStorage(): Promise<PostgresStorage> {
  const server = await startPostgres({ owned: true, settings: POSTGRES_SETTINGS })
  const url = await server.createDatabase()
  const exporter = createExporter({ databaseUrl: url })
  await exporter.start()
  await exporter.shutdown()
  await execute(url, RECYCLE_WAL)
  await execute(url, 'CHECKPOINT')
  return {
    name: 'PostgreSQL',
    url,
    environment: { STORAGE_TYPE: 'postgres', DATABASE_URL: url },
    postgresPid: await postmasterPid(server.url),
    async count() {
      const [row] = await execute(url, 'SELECT count(*)::int AS events FROM hook_events')
      return Number(row?.events)
    },
    async clear() {
      await execute(url, 'TRUNCATE hook_events')
    },
    stop: () => server.stop(),
  }
}

/** The version and the settings of the server that the figures are taken with. */
export async function describePostgres(): Promise<Row> {
  const server = await startPostgres({ owned: true, settings: POSTGRES_SETTINGS })
  const [row] = await execute(server.url, 'SHOW server_version')
  await server.stop()
  return { postgres: row?.server_version, ...POSTGRES_SETTINGS }
}

/** A JSONL file in a folder of its own, on the file system of the temporary folder. */
export async function jsonlStorage(): Promise<Storage> {
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-bench-'))
  return {
    name: 'JSONL',
    environment: { STORAGE_TYPE: 'jsonl', JSONL_PATH: join(folder, 'events.jsonl') },
    count: () => countLines(folder),
    async clear() {
      for (const file of readdirSync(folder)) rmSync(join(folder, file))
    },
    stop: async () => rmSync(folder, { recursive: true }),
  }
}

const NEWLINE = 10

async function countLines(folder: string): Promise<number> {
  let lines = 0
  for (const file of readdirSync(folder).filter((name) => name.includes('.jsonl'))) {
    for await (const chunk of createReadStream(join(folder, file), { highWaterMark: 2 ** 20 })) {
      for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) lines++
    }
  }
  return lines
}
