import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeLine } from '@agentic-hooks/events'
import type { HookClientOptions } from '@agentic-hooks/instrumentation'
import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { killAgents } from './kill-agents.ts'
import { emitThroughOutage } from './outage.ts'

// Receivers and agents are started and ended here, on a machine that may be busy.
vi.setConfig({ testTimeout: 90_000 })

let postgres: PostgresServer
let directory: string

beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.stop())
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'client-receiver-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('a receiver that is stopped and started while events are emitted', () => {
  const outage = (env: Record<string, string>, options: HookClientOptions = {}) =>
    emitThroughOutage({
      outageMillis: 1000,
      eventsPerSecond: 2000,
      env,
      cwd: directory,
      client: {
        maxQueueSize: 200,
        maxRetryAttempts: 2,
        flushIntervalMillis: 20,
        retryInitialDelayMillis: 50,
        retryMaxDelayMillis: 200,
        logger: new MemoryLogger(),
        ...options,
      },
    })

  it('stores every event once in PostgreSQL, with a spool', async () => {
    const databaseUrl = await postgres.createDatabase()
    const { emitted, ...rest } = await outage(
      { STORAGE_TYPE: 'postgres', DATABASE_URL: databaseUrl },
      { spool: join(directory, 'spool') },
    )
    expect(rest).toMatchObject({ delivered: emitted, dropped: 0 })
    const [row] = await execute(
      databaseUrl,
      'SELECT count(*)::int AS rows, count(DISTINCT event_id)::int AS ids FROM hook_events',
    )
    expect(row).toEqual({ rows: emitted, ids: emitted })
  })

  it('stores every event at least once in a JSONL file, with the same id', async () => {
    const { emitted } = await outage(
      { STORAGE_TYPE: 'jsonl', JSONL_PATH: join(directory, 'events.jsonl') },
      { spool: join(directory, 'spool') },
    )
    const files = readdirSync(directory).filter((name) => name.endsWith('.jsonl'))
    const lines = files.flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
    expect(new Set(lines.map((line) => decodeLine(line).eventId)).size).toBe(emitted)
  })

  it('and without a spool counts every event as either delivered or dropped', async () => {
    const databaseUrl = await postgres.createDatabase()
    const { emitted, delivered, dropped } = await outage({
      STORAGE_TYPE: 'postgres',
      DATABASE_URL: databaseUrl,
    })
    expect(dropped).toBeGreaterThan(0)
    expect(delivered + dropped).toBe(emitted)
    const [row] = await execute(databaseUrl, 'SELECT count(*)::int AS rows FROM hook_events')
    expect(row!.rows).toBeGreaterThanOrEqual(delivered)
  })
})

it("agents that are killed lose nothing that they have emitted, with durability: 'disk'", async () => {
  const databaseUrl = await postgres.createDatabase()
  const result = await killAgents({ kills: 5, seed: 1, databaseUrl, directory })
  expect(result).toMatchObject({ kills: 5, missing: [], duplicated: [] })
  expect(result.emitted).toBeGreaterThan(0)
})
