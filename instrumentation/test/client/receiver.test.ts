import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeLine } from '@agentic-hooks/events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { execute, freePort, type PostgresServer, startPostgres } from '../../../test/postgres.ts'
import { startReceiver } from '../../../test/receiver.ts'
import { killAgents } from '../../chaos/kill-agents.ts'
import { HookClient, type HookClientOptions } from '../../src/index.ts'
import { MemoryLogger } from '../support/logger.ts'

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
  /** Emits before, while and after the receiver is away. Returns how many. */
  async function emitThroughOutage(
    options: HookClientOptions,
    env: Record<string, string>,
  ): Promise<HookClient> {
    const port = String(await freePort())
    const client = new HookClient({
      endpoint: `http://127.0.0.1:${port}`,
      flushIntervalMillis: 20,
      retryInitialDelayMillis: 50,
      retryMaxDelayMillis: 200,
      logger: new MemoryLogger(),
      ...options,
    })
    const emitFor = async (millis: number) => {
      for (const end = Date.now() + millis; Date.now() < end; await delay(1)) {
        for (let n = 0; n < 5; n++) client.emit({ eventType: 'custom', sessionId: 's', data: { n } })
      }
    }
    const first = await startReceiver({ env: { ...env, PORT: port }, cwd: directory })
    await emitFor(300)
    const emitting = emitFor(2000)
    await first.stop()
    await emitting
    await using second = await startReceiver({ env: { ...env, PORT: port }, cwd: directory })
    await emitFor(300)
    await vi.waitFor(() => expect(client.stats()).toMatchObject({ pending: 0, spooled: 0 }), 20_000)
    await client.close()
    await second.stop()
    return client
  }

  it('stores every event once in PostgreSQL, with a spool', async () => {
    const databaseUrl = await postgres.createDatabase()
    const client = await emitThroughOutage(
      { spool: join(directory, 'spool'), maxQueueSize: 200, maxRetryAttempts: 2 },
      { STORAGE_TYPE: 'postgres', DATABASE_URL: databaseUrl },
    )
    const { emitted, ...rest } = client.stats()
    expect(rest).toMatchObject({ delivered: emitted, dropped: 0 })
    const [row] = await execute(
      databaseUrl,
      'SELECT count(*)::int AS rows, count(DISTINCT event_id)::int AS ids FROM hook_events',
    )
    expect(row).toEqual({ rows: emitted, ids: emitted })
  })

  it('stores every event at least once in a JSONL file, with the same id', async () => {
    const client = await emitThroughOutage(
      { spool: join(directory, 'spool'), maxQueueSize: 200, maxRetryAttempts: 2 },
      { STORAGE_TYPE: 'jsonl', JSONL_PATH: join(directory, 'events.jsonl') },
    )
    const files = readdirSync(directory).filter((name) => name.endsWith('.jsonl'))
    const lines = files.flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
    expect(new Set(lines.map((line) => decodeLine(line).eventId)).size).toBe(client.stats().emitted)
  })

  it('and without a spool counts every event as either delivered or dropped', async () => {
    const databaseUrl = await postgres.createDatabase()
    const client = await emitThroughOutage(
      { maxQueueSize: 200, maxRetryAttempts: 2 },
      { STORAGE_TYPE: 'postgres', DATABASE_URL: databaseUrl },
    )
    const { emitted, delivered, dropped } = client.stats()
    expect(dropped).toBeGreaterThan(0)
    expect(delivered + dropped).toBe(emitted)
    const [row] = await execute(databaseUrl, 'SELECT count(*)::int AS rows FROM hook_events')
    expect(row!.rows).toBeGreaterThanOrEqual(delivered)
  })
})

it("agents that are killed lose nothing that they have emitted, with durability: 'disk'", async () => {
  const databaseUrl = await postgres.createDatabase()
  const result = await killAgents({ kills: 6, seed: 1, databaseUrl, directory })
  expect(result).toMatchObject({ kills: 6, missing: [], duplicated: [] })
  expect(result.emitted).toBeGreaterThan(100)
}, 60_000)
