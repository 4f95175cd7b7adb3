import { batchOf, type EventRecord } from '@agentic-hooks/events'
import { sampleRecord } from '@agentic-hooks/events/testing'
import { againAfterMidnight } from '@agentic-hooks/testing/midnight'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import { valueIn } from '@agentic-hooks/testing/stored-events'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Logger, migrate, type PostgresExporterOptions } from '../src/index.ts'
import { missingPartitions, periodOf, periodsFrom } from '../src/schema/partitions.ts'
import { emptyDatabase, RecordingLogger, SILENT, send, startExporter } from './exporters.ts'

const DAY_MICROS = 86_400_000_000
const micros = (iso: string) => Date.parse(iso) * 1000
const daysAgo = (days: number) => (Date.now() - days * 86_400_000) * 1000

let server: PostgresServer
let databaseUrl: string

beforeAll(async () => {
  server = await startPostgres()
  databaseUrl = await server.createDatabase()
})
beforeEach(async () => {
  await emptyDatabase(databaseUrl)
})
afterAll(() => server?.stop())

async function partitionNames(): Promise<string[]> {
  const rows = await execute(
    databaseUrl,
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits
     WHERE inhparent = 'hook_events'::regclass ORDER BY name`,
  )
  return rows.map(({ name }) => String(name)).filter((name) => name !== 'hook_events_default')
}

const partitionFor = (time: number) =>
  `hook_events_p${new Date(time / 1000).toISOString().slice(0, 10).replaceAll('-', '')}`

/** How many events each table holds. */
async function eventsByTable(): Promise<Record<string, unknown>> {
  const rows = await execute(
    databaseUrl,
    'SELECT tableoid::regclass::text AS name, count(*)::int AS events FROM hook_events GROUP BY 1',
  )
  return Object.fromEntries(rows.map(({ name, events }) => [String(name), events]))
}

const at = (timestampMicros: number, fields: Partial<EventRecord> = {}) =>
  sampleRecord({ timestampMicros, ...fields })

const migrateNow = (options: Partial<PostgresExporterOptions> & { logger?: Logger }) =>
  migrate({ databaseUrl, logger: SILENT, partitionsAhead: 0, ...options })

describe('periods', () => {
  it('are days or months of UTC', () => {
    const time = micros('2024-02-29T23:59:59.999Z')
    expect(periodOf(time, 'day')).toEqual({ from: micros('2024-02-29'), to: micros('2024-03-01') })
    expect(periodOf(time, 'month')).toEqual({ from: micros('2024-02-01'), to: micros('2024-03-01') })
    expect(periodsFrom(time, 2, 'month').at(-1)).toEqual({
      from: micros('2024-04-01'),
      to: micros('2024-05-01'),
    })
  })

  it('that are partly covered leave only their rest to be made', () => {
    const days = [periodOf(micros('2024-02-02'), 'day'), periodOf(micros('2024-02-10'), 'day')]
    const february = periodOf(micros('2024-02-02'), 'month')
    expect(missingPartitions(days, [february]).map(({ name }) => name)).toEqual([
      'hook_events_p20240201',
      'hook_events_p20240203',
      'hook_events_p20240211',
    ])
    expect(missingPartitions([february], days)).toEqual([])
  })
})

describe('partitions', againAfterMidnight(), () => {
  it('are there for today and the days ahead before the first event', async () => {
    const exporter = await startExporter({ databaseUrl, partitionsAhead: 3 })
    const today = Math.floor(daysAgo(0) / DAY_MICROS) * DAY_MICROS
    expect(await partitionNames()).toEqual(
      [0, 1, 2, 3].map((days) => partitionFor(today + days * DAY_MICROS)),
    )
    await send(exporter, [
      at(today + 1),
      at(today + DAY_MICROS),
      at(micros('2001-01-01')),
      at(micros('2200-01-01')),
    ])
    expect(await eventsByTable()).toEqual({
      [partitionFor(today)]: 1,
      [partitionFor(today + DAY_MICROS)]: 1,
      hook_events_default: 2,
    })
  })

  it('may become months without touching the days that were made', async () => {
    await migrateNow({ partitionBy: 'day', partitionsAhead: 2 })
    const days = await partitionNames()
    await migrateNow({ partitionBy: 'month', partitionsAhead: 1 })
    expect(await partitionNames()).toEqual(expect.arrayContaining(days))
    const nextMonth = periodOf(periodOf(daysAgo(0), 'month').to, 'month')
    const exporter = await startExporter({ databaseUrl, partitionBy: 'month', partitionsAhead: 1 })
    await send(exporter, [at(daysAgo(0)), at(nextMonth.from), at(nextMonth.to - 1)])
    expect(await eventsByTable()).not.toHaveProperty('hook_events_default')
  })

  it('are made by one of many receivers that start at once, while they store', async () => {
    const options = { databaseUrl, partitionsAhead: 7 }
    const exporters = await Promise.all(Array.from({ length: 6 }, () => startExporter(options)))
    await Promise.all(exporters.map((exporter) => send(exporter, [at(daysAgo(0))])))
    expect(await partitionNames()).toHaveLength(8)
    expect(await eventsByTable()).toEqual({ [partitionFor(daysAgo(0))]: 6 })
  })

  it('take the events of their time out of the default partition when they are made', async () => {
    const exporter = await startExporter({ databaseUrl, partitionsAhead: 0 })
    const tomorrow = periodOf(daysAgo(-1), 'day')
    await send(exporter, [at(tomorrow.from), at(tomorrow.to - 1), at(tomorrow.to)])
    expect(await eventsByTable()).toEqual({ hook_events_default: 3 })
    await migrateNow({ partitionsAhead: 1 })
    expect(await eventsByTable()).toEqual({ [partitionFor(tomorrow.from)]: 2, hook_events_default: 1 })
  })

  it('are made whole while events of their time keep coming', async () => {
    const exporter = await startExporter({ databaseUrl, partitionsAhead: 0, connections: 3 })
    const tomorrow = periodOf(daysAgo(-1), 'day').from
    const batches = Array.from({ length: 60 }, (_, batch) =>
      Array.from({ length: 20 }, (_, index) => at(tomorrow + batch * 100 + index)),
    )
    const sent = batches.map((events) => send(exporter, events))
    await Promise.all([...sent, migrateNow({ partitionsAhead: 1 })])
    expect(await eventsByTable()).toEqual({ [partitionFor(tomorrow)]: 1_200 })
  })

  it('are made for an import of old events, by several importers at once', async () => {
    const importers = await Promise.all([startExporter({ databaseUrl }), startExporter({ databaseUrl })])
    const times = ['2019-05-05T01:00:00Z', '2019-05-05T23:00:00Z', '2020-02-29T12:00:00Z'].map(micros)
    await Promise.all(
      importers.map(async (importer) => {
        const batch = batchOf(times.map((time) => at(time)))
        await importer.prepareImport(batch)
        await importer.export(batch, { signal: new AbortController().signal })
      }),
    )
    expect(await eventsByTable()).toEqual({ hook_events_p20190505: 4, hook_events_p20200229: 2 })
  })

  it('wait for a lock and are made when it is free', async () => {
    await migrateNow({ partitionsAhead: 0 })
    const reader = new Client({ connectionString: databaseUrl })
    await reader.connect()
    await reader.query('BEGIN; SELECT * FROM hook_events_default')
    const made = migrateNow({ partitionsAhead: 1 })
    const waiting = `SELECT count(*)::int FROM pg_locks WHERE NOT granted`
    await vi.waitFor(async () => expect(await valueIn(databaseUrl, waiting)).toBe(1))
    // The lock timeout has passed at least once when nobody waits any more.
    await vi.waitFor(async () => expect(await valueIn(databaseUrl, waiting)).toBe(0), { timeout: 10_000 })
    await reader.end()
    await made
    expect(await partitionNames()).toHaveLength(2)
  })

  it('that cannot be made are reported, and the default one takes the events', async () => {
    await migrateNow({ partitionsAhead: 0 })
    const tomorrow = partitionFor(daysAgo(-1))
    await execute(databaseUrl, `CREATE TABLE ${tomorrow} ()`)
    const logger = new RecordingLogger()
    const exporter = await startExporter({ databaseUrl, partitionsAhead: 2, logger })
    expect(logger.warnings[0]?.message).toBe('cannot make partitions; the default one takes the events')
    expect(await partitionNames()).toContain(partitionFor(daysAgo(-2)))
    expect(await send(exporter, [at(daysAgo(-1))])).toMatchObject({ stored: 1 })
    await vi.waitFor(() => expect(exporter.degradation).toContain(`relation "${tomorrow}" already exists`))
    await exporter.health()
  })

  it('that cannot be made are seen in the health of a receiver, which stays ready', async () => {
    await migrateNow({ partitionsAhead: 0 })
    const tomorrow = partitionFor(daysAgo(-1))
    await execute(databaseUrl, `CREATE TABLE ${tomorrow} ()`)
    const options = { maintenanceIntervalMillis: 200, partitionsAhead: 1, databaseUrl }
    await using receiver = await startReceiver({
      env: { EXPORTERS: JSON.stringify([{ package: 'postgres', options }]) },
    })
    const status = async () =>
      ((await (await fetch(`${receiver.url}/health`)).json()) as { status: string }).status
    await vi.waitFor(async () => expect(await status()).toBe('degraded'), { timeout: 10_000 })
    expect((await fetch(`${receiver.url}/health/ready`)).status).toBe(200)
    await execute(databaseUrl, `DROP TABLE ${tomorrow}`)
    await vi.waitFor(async () => expect(await status()).toBe('healthy'), { timeout: 10_000 })
    expect(await partitionNames()).toContain(tomorrow)
  })

  it('are made although a session that is long gone left the lock of maintenance behind', async () => {
    await migrateNow({ partitionsAhead: 0 })
    const left = new Client({ connectionString: databaseUrl })
    await left.connect()
    onTestFinished(() => left.end())
    await left.query('SELECT pg_advisory_lock(7310868735420002)')
    const exporter = await startExporter({ databaseUrl, partitionsAhead: 1 })
    expect(await partitionNames()).toHaveLength(1)
    await exporter.shutdown()
    // Ten minutes later, by the clock that the exporter finds first.
    const database = new URL(databaseUrl).pathname.slice(1)
    await execute(
      databaseUrl,
      `CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
       $$ SELECT pg_catalog.clock_timestamp() + interval '10 minutes' $$;
       ALTER DATABASE ${database} SET search_path = public, pg_catalog`,
    )
    onTestFinished(async () => {
      await execute(databaseUrl, `ALTER DATABASE ${database} RESET search_path`)
    })
    const logger = new RecordingLogger()
    await migrateNow({ partitionsAhead: 1, logger })
    expect(logger.warnings.map(({ message }) => message)).toEqual([
      'a session holds the lock of maintenance and does nothing with it: going on without',
    ])
    expect(await partitionNames()).toHaveLength(2)
  })
})

describe('retention', againAfterMidnight(), () => {
  const keep = (retentionDays: number) => migrateNow({ retentionDays })

  async function importAt(times: readonly number[], fields: Partial<EventRecord> = {}): Promise<void> {
    const exporter = await startExporter({ databaseUrl })
    for (const time of times) {
      // Received when it happened, as if this had run for so long.
      const batch = batchOf([at(time, fields)], time)
      await exporter.prepareImport(batch)
      await exporter.export(batch, { signal: new AbortController().signal })
    }
  }

  it('drops a partition when its last event is too old, and no earlier', async () => {
    await importAt([daysAgo(12), daysAgo(11), daysAgo(10), daysAgo(9)])
    await keep(10)
    expect(Object.keys(await eventsByTable()).sort()).toEqual([
      partitionFor(daysAgo(10)),
      partitionFor(daysAgo(9)),
    ])
    expect(await partitionNames()).not.toContain(partitionFor(daysAgo(11)))
    expect(await valueIn(databaseUrl, `SELECT to_regclass('${partitionFor(daysAgo(11))}')`)).toBeNull()
  })

  it('keeps everything without retentionDays', async () => {
    await importAt([micros('1999-01-01')])
    await migrateNow({})
    expect(await eventsByTable()).toEqual({ hook_events_p19990101: 1 })
  })

  it('deletes from the default partition what is old by its time or by its receipt', async () => {
    const exporter = await startExporter({ databaseUrl, partitionsAhead: 0 })
    const store = (time: number, receivedAt: number) =>
      exporter.export(batchOf([at(time)], receivedAt), { signal: new AbortController().signal })
    await store(daysAgo(40), daysAgo(0))
    await store(micros('2200-01-01'), daysAgo(40))
    await store(daysAgo(20), daysAgo(20))
    await store(micros('2200-01-02'), daysAgo(20))
    await keep(30)
    expect(
      await execute(
        databaseUrl,
        `SELECT ("timestamp" > now()) AS future FROM hook_events ORDER BY "timestamp"`,
      ),
    ).toEqual([{ future: false }, { future: true }])
  })

  it('removes a resource only when no kept event can refer to it', async () => {
    const resource = (name: string) => ({ resource: Buffer.from(`{"name":"${name}"}`), scope: null })
    await importAt([daysAgo(50)], { origin: resource('gone') })
    await importAt([daysAgo(50), daysAgo(1)], { origin: resource('in use') })
    await importAt([daysAgo(30)], { origin: resource('just kept') })
    await keep(30)
    const names = await execute(
      databaseUrl,
      `SELECT resource->>'name' AS name FROM hook_resources ORDER BY 1`,
    )
    expect(names.map(({ name }) => name)).toEqual(['in use', 'just kept'])
    const dangling = `SELECT count(*)::int FROM hook_events
      WHERE NOT EXISTS (SELECT FROM hook_resources WHERE id = resource_id)`
    expect(await valueIn(databaseUrl, dangling)).toBe(0)
  })

  it('keeps the resource of an event that came long before its time', async () => {
    const exporter = await startExporter({ databaseUrl })
    const origin = { resource: Buffer.from('{}'), scope: null }
    const batch = batchOf([at(daysAgo(10), { origin })], daysAgo(60))
    await exporter.prepareImport(batch)
    await exporter.export(batch, { signal: new AbortController().signal })
    await keep(30)
    expect(await valueIn(databaseUrl, 'SELECT count(*)::int FROM hook_resources')).toBe(1)
  })

  it('drops by itself while the receiver runs, in turns with others, and storing goes on', async () => {
    const old = [daysAgo(12), daysAgo(11)]
    await importAt(old)
    const options = { databaseUrl, retentionDays: 5, maintenanceIntervalMillis: 100 }
    const exporters = await Promise.all([1, 2, 3].map(() => startExporter(options)))
    let stored = 0
    await vi.waitFor(async () => {
      const results = await Promise.all(exporters.map((exporter) => send(exporter, [at(daysAgo(0))])))
      stored += results.reduce((sum, result) => sum + result.stored, 0)
      expect(await partitionNames()).not.toContain(partitionFor(old[1]!))
      expect(await partitionNames()).not.toContain(partitionFor(old[0]!))
    })
    expect(await valueIn(databaseUrl, 'SELECT count(*)::int FROM hook_events')).toBe(stored)
  })

  it('waits for a reader of the old partition no longer than its lock timeout at a time', async () => {
    await importAt([daysAgo(12)])
    const reader = new Client({ connectionString: databaseUrl })
    await reader.connect()
    await reader.query('BEGIN; SELECT * FROM hook_events')
    const exporter = await startExporter({ databaseUrl })
    const dropped = keep(5)
    const waiting = `SELECT count(*)::int FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'`
    await vi.waitFor(async () => expect(await valueIn(databaseUrl, waiting)).toBe(1), { timeout: 10_000 })
    // Queues behind the lock that retention waits for, and gets on when that one gives up.
    expect(await send(exporter, [at(daysAgo(0))])).toMatchObject({ stored: 1 })
    expect(await partitionNames()).toContain(partitionFor(daysAgo(12)))
    await reader.end()
    await dropped
    expect(await partitionNames()).not.toContain(partitionFor(daysAgo(12)))
  })
})
