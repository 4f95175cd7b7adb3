import { queryEvents } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { storedEvents, valueIn } from '@agentic-hooks/testing/stored-events'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { migrate } from '../src/index.ts'
import { RecordingLogger, SILENT, send, startExporter } from './exporters.ts'

let server: PostgresServer
let databaseUrl: string

beforeAll(async () => {
  server = await startPostgres({ owned: true })
})
beforeEach(async () => {
  databaseUrl = await server.createDatabase()
})
afterAll(() => server?.stop())

const SETTINGS: readonly (readonly [name: string, value: string])[] = [
  ['DateStyle', 'German'],
  ['DateStyle', 'SQL, DMY'],
  ['IntervalStyle', 'iso_8601'],
  ['TimeZone', 'Pacific/Chatham'],
  ['array_nulls', 'off'],
  ['bytea_output', 'escape'],
  ['standard_conforming_strings', 'off'],
  ['extra_float_digits', '-15'],
  ['quote_all_identifiers', 'on'],
  ['transform_null_equals', 'on'],
  ['default_transaction_isolation', 'serializable'],
  ['default_transaction_deferrable', 'on'],
  ['lock_timeout', '1'],
  ['statement_timeout', '20'],
  ['synchronous_commit', 'off'],
]

describe('a database with settings of its own', () => {
  it.each(SETTINGS)('%s = %s stores, reads, makes and drops partitions as any other', async (name, value) => {
    const database = new URL(databaseUrl).pathname.slice(1)
    await execute(databaseUrl, `ALTER DATABASE ${database} SET ${name} = '${value}'`)
    await migrate({ databaseUrl, partitionsAhead: 1, logger: SILENT })
    // The questions of this test are not to meet the timeouts.
    const ownUrl = `${databaseUrl}?options=${encodeURIComponent('-c statement_timeout=0 -c lock_timeout=0')}`
    await execute(
      ownUrl,
      `CREATE TABLE hook_events_p20200101 PARTITION OF hook_events
       FOR VALUES FROM ('2020-01-01T00:00:00Z') TO ('2020-01-02T00:00:00Z')`,
    )
    await migrate({ databaseUrl, partitionsAhead: 2, retentionDays: 30, logger: SILENT })
    expect(await valueIn(ownUrl, `SELECT to_regclass('hook_events_p20200101') IS NULL`)).toBe(true)

    const exporter = await startExporter({ databaseUrl, partitionsAhead: 3 })
    const events = sampleRecords(3)
    await send(exporter, events)
    const partitions = `SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'hook_events'::regclass`
    expect(await valueIn(ownUrl, partitions)).toBe(5)
    const read: string[] = []
    for await (const { eventId } of queryEvents(exporter, {})) read.push(eventId)
    expect(read.sort()).toEqual(events.map(({ eventId }) => eventId).sort())
  })
})

describe('the clock of a receiver that is a year ahead', () => {
  it('deletes nothing, and is told of', async () => {
    await migrate({ databaseUrl, partitionsAhead: 1, logger: SILENT })
    const exporter = await startExporter({ databaseUrl, partitionsAhead: 1 })
    await send(exporter, sampleRecords(5))
    const logger = new RecordingLogger()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 366 * 86_400_000 })
    onTestFinished(() => void vi.useRealTimers())
    await migrate({ databaseUrl, partitionsAhead: 1, retentionDays: 30, logger })
    expect(await storedEvents(databaseUrl)).toHaveLength(5)
    expect(logger.warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('nothing is deleted until the clocks are set right: '),
    ])
    const future = `SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'hook_events'::regclass`
    expect(await valueIn(databaseUrl, future)).toBe(3)
  })
})

describe('the default partition', () => {
  it('that someone dropped is the fault of no event: it comes back, and the events with it', async () => {
    const exporter = await startExporter({
      databaseUrl,
      partitionsAhead: 0,
      maintenanceIntervalMillis: 3_600_000,
    })
    await execute(databaseUrl, 'DROP TABLE hook_events_default')
    const late = sampleRecords(2).map((record) => ({ ...record, timestampMicros: 1_000_000 }))
    await expect(send(exporter, late)).rejects.toThrow(/no partition of relation/)
    await expect(exporter.health()).rejects.toThrow(/no partition of relation/)
    await vi.waitFor(async () => expect((await send(exporter, late)).stored).toBe(2))
    expect(await valueIn(databaseUrl, 'SELECT count(*)::int FROM hook_events_default')).toBe(2)
  })
})

describe('resources', () => {
  const eventsOf = (name: string, count = 4) =>
    sampleRecords(count).map((record) => ({
      ...record,
      origin: { resource: Buffer.from(JSON.stringify({ 'service.name': name })), scope: null },
    }))
  const orphans = () =>
    valueIn(
      databaseUrl,
      `SELECT count(*)::int FROM hook_events
       WHERE resource_id IS NOT NULL AND resource_id NOT IN (SELECT id FROM hook_resources)`,
    )

  it.each([
    'TRUNCATE hook_events, hook_resources',
    `DELETE FROM hook_resources WHERE resource->>'service.name' = 'one'; DELETE FROM hook_events`,
  ])(
    'that somebody takes away under living connections are there again with the next event: %s',
    async (sql) => {
      const exporter = await startExporter({ databaseUrl, connections: 2 })
      await Promise.all([send(exporter, eventsOf('one')), send(exporter, eventsOf('two'))])
      await execute(databaseUrl, sql)
      const again = eventsOf('one')
      await Promise.all([send(exporter, again), send(exporter, [...eventsOf('one'), ...eventsOf('two')])])
      expect(await send(exporter, again)).toMatchObject({ stored: 0, duplicates: 4 })
      expect(await orphans()).toBe(0)
      expect(await valueIn(databaseUrl, 'SELECT count(*)::int FROM hook_resources')).toBe(2)
    },
  )

  it('are brought back by events that are there already', async () => {
    const exporter = await startExporter({ databaseUrl })
    const events = eventsOf('one')
    await send(exporter, events)
    await execute(databaseUrl, 'TRUNCATE hook_resources')
    expect(await send(exporter, events)).toMatchObject({ stored: 0, duplicates: 4 })
    expect(await orphans()).toBe(0)
  })

  it('are never missing while somebody truncates them again and again', async () => {
    const exporter = await startExporter({ databaseUrl, connections: 2 })
    let isDone = false
    const truncating = (async () => {
      while (!isDone) await execute(databaseUrl, 'TRUNCATE hook_events, hook_resources')
    })()
    for (let round = 0; round < 40; round++) {
      await Promise.allSettled([send(exporter, eventsOf(`a${round % 3}`)), send(exporter, eventsOf('b'))])
      expect(await orphans()).toBe(0)
    }
    isDone = true
    await truncating
  })

  it('that PostgreSQL refuses cost their own events, and no others', async () => {
    const exporter = await startExporter({ databaseUrl })
    await execute(
      databaseUrl,
      `ALTER TABLE hook_resources ADD CHECK (resource->>'service.name' <> 'refused');
       ${refuseRowsSql('hook_resources', `NEW.resource->>'service.name' = 'poison'`)}`,
    )
    const events = [
      ...eventsOf('good', 2),
      ...eventsOf('refused', 3),
      ...eventsOf('poison', 3),
      ...eventsOf('fine', 2),
    ]
    const result = await send(exporter, events)
    expect(result.stored).toBe(4)
    expect(result.rejected.map(({ eventId }) => eventId).sort()).toEqual(
      events
        .slice(2, 8)
        .map(({ eventId }) => eventId)
        .sort(),
    )
    expect(await orphans()).toBe(0)
  })
})

/** From now on the rows of a table that meet a condition make PostgreSQL fail with an internal error. */
function refuseRowsSql(table: string, condition: string): string {
  return `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'invalid memory alloc request size' USING ERRCODE = 'XX000'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON ${table} FOR EACH ROW
    WHEN (${condition}) EXECUTE FUNCTION refuse()`
}

describe('an internal error of PostgreSQL (XX000)', () => {
  it.each([
    ['that names its line', []],
    ['that names none, because some of the batch is there already', [0, 4]],
  ])('is the fault of the row %s, when others of its time can be stored', async (_, stored) => {
    const exporter = await startExporter({ databaseUrl })
    const events = sampleRecords(6).map((event, index) =>
      index === 2 ? { ...event, sessionId: 'poison' } : event,
    )
    await send(
      exporter,
      stored.map((index) => events[index]!),
    )
    await execute(databaseUrl, refuseRowsSql('hook_events', `NEW.session_id = 'poison'`))
    const result = await send(exporter, events)
    expect([result.stored, result.duplicates]).toEqual([5 - stored.length, stored.length])
    expect(result.rejected).toEqual([
      { eventId: events[2]!.eventId, reason: expect.stringContaining('invalid memory alloc request size') },
    ])
  })

  it('of every row is the fault of the server: nothing is rejected for good', async () => {
    const exporter = await startExporter({ databaseUrl })
    await execute(databaseUrl, refuseRowsSql('hook_events', 'true'))
    await expect(send(exporter, sampleRecords(3))).rejects.toThrow('invalid memory alloc request size')
    await expect(exporter.health()).rejects.toThrow()
    await execute(databaseUrl, 'DROP TRIGGER refuse ON hook_events')
    await vi.waitFor(async () => expect(await send(exporter, sampleRecords(3))).toMatchObject({ stored: 3 }))
  })
})

describe('a locked table', () => {
  it('is ill health, and well again when the lock is gone', async () => {
    const exporter = await startExporter({ databaseUrl })
    const locker = new Client({ connectionString: databaseUrl })
    await locker.connect()
    await locker.query('BEGIN; LOCK TABLE hook_events IN EXCLUSIVE MODE')
    await expect(exporter.health()).rejects.toThrow(/lock timeout/)
    await locker.query('ROLLBACK')
    await locker.end()
    await exporter.health()
  })
})

describe('retention while somebody reads what is to be dropped', () => {
  it('lets writers go on', async () => {
    await migrate({ databaseUrl, partitionsAhead: 1, logger: SILENT })
    await execute(
      databaseUrl,
      `CREATE TABLE hook_events_p20200101 PARTITION OF hook_events
       FOR VALUES FROM ('2020-01-01T00:00:00Z') TO ('2020-01-02T00:00:00Z')`,
    )
    const exporter = await startExporter({ databaseUrl })
    const reader = new Client({ connectionString: databaseUrl })
    await reader.connect()
    await reader.query('BEGIN; SELECT count(*) FROM hook_events')
    const dropped = migrate({ databaseUrl, partitionsAhead: 1, retentionDays: 30, logger: SILENT })
    const isWaiting = `SELECT count(*)::int FROM pg_locks WHERE NOT granted AND locktype = 'relation'`
    await vi.waitFor(async () => expect(await valueIn(databaseUrl, isWaiting)).toBe(1), { interval: 1 })
    for (let batch = 0; batch < 20; batch++) await send(exporter, sampleRecords(10))
    await reader.query('ROLLBACK')
    await reader.end()
    await dropped
    expect(await storedEvents(databaseUrl)).toHaveLength(200)
  })
})
