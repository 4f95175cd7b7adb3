import { batchOf } from '@agentic-hooks/events'
import { sampleRecord, sampleRecords } from '@agentic-hooks/events/testing'
import { type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import { valueIn } from '@agentic-hooks/testing/stored-events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { migrate } from '../src/index.ts'
import { emptyDatabase, RecordingLogger, SILENT, send, startExporter } from './exporters.ts'

const DAY_MILLIS = 86_400_000
const YEAR_MILLIS = 366 * DAY_MILLIS
const MINUTE_MILLIS = 60_000

let server: PostgresServer
let databaseUrl: string

beforeAll(async () => {
  server = await startPostgres()
  databaseUrl = await server.createDatabase()
})
beforeEach(() => emptyDatabase(databaseUrl))
afterEach(() => void vi.useRealTimers())
afterAll(() => server?.stop())

/** From now on this process believes that it is another time; nothing else changes, timers least of all. */
function turnClockBy(millis: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + millis })
}

const countEvents = () => valueIn(databaseUrl, 'SELECT count(*)::int FROM hook_events')
const countPartitions = () =>
  valueIn(databaseUrl, `SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'hook_events'::regclass`)

/** One event of each of the last days, and one of now whose time lies in no partition. */
async function storeEvents(): Promise<number> {
  const exporter = await startExporter({ databaseUrl })
  const times = [0, 1, 2, 3].map((days) => (Date.now() - days * DAY_MILLIS) * 1000)
  for (const timestampMicros of times) {
    const batch = batchOf([sampleRecord({ timestampMicros })], timestampMicros)
    await exporter.prepareImport(batch)
    await exporter.export(batch, { signal: new AbortController().signal })
  }
  await send(exporter, [sampleRecord({ timestampMicros: Date.UTC(2200, 0) * 1000 })])
  return times.length + 1
}

describe.each([
  ['a year ahead of', YEAR_MILLIS],
  ['twenty years behind', -20 * YEAR_MILLIS],
])("a replica whose clock is %s the database's", (_, offsetMillis) => {
  it('drops nothing and takes no event, for the reason that it names, until its clock is set', async () => {
    const events = await storeEvents()
    const partitions = await countPartitions()
    turnClockBy(offsetMillis)
    const logger = new RecordingLogger()
    const options = { databaseUrl, retentionDays: 2, partitionsAhead: 1, logger }
    const exporter = await startExporter({ ...options, maintenanceIntervalMillis: 100 })
    const reason = /this machine's clock .* the clock of PostgreSQL .* maxClockDifferenceMillis \(3600000\)/
    await expect(send(exporter, sampleRecords(1))).rejects.toThrow(reason)
    await expect(exporter.health()).rejects.toThrow(reason)
    expect((await migrate(options, { dryRun: true })).sql).not.toContain('DROP')
    await migrate(options)
    const deletions = () =>
      logger.warnings.filter(({ message }) => message.startsWith('nothing is deleted until'))
    await vi.waitUntil(() => deletions().length > 4)
    expect([await countEvents(), await countPartitions()]).toEqual([events, partitions])
    vi.useRealTimers()
    await vi.waitFor(() => exporter.health(), { timeout: 10_000 })
    expect(await send(exporter, sampleRecords(1))).toMatchObject({ stored: 1 })
  })

  it("goes by the database's clock where it may differ, and keeps what is younger than retentionDays", async () => {
    const events = await storeEvents()
    const partitions = await countPartitions()
    turnClockBy(offsetMillis)
    const options = { databaseUrl, logger: SILENT, maxClockDifferenceMillis: Number.MAX_SAFE_INTEGER }
    await migrate({ ...options, retentionDays: 10, partitionsAhead: 1 })
    expect([await countEvents(), await countPartitions()]).toEqual([events, partitions])
    await migrate({ ...options, retentionDays: 2, partitionsAhead: 1 })
    expect(await countEvents()).toBe(events - 1)
  })
})

it('a receiver whose clock is a year ahead is not ready, with the reason, and others lose no event', async () => {
  const events = await storeEvents()
  const ahead = `const now = Date.now.bind(Date); Date.now = () => now() + ${YEAR_MILLIS}`
  await using receiver = await startReceiver({
    env: { DATABASE_URL: databaseUrl, STORAGE_TYPE: 'postgres', RETENTION_DAYS: '2' },
    nodeArgs: ['--import', `data:text/javascript,${encodeURIComponent(ahead)}`],
  })
  const ready = await fetch(`${receiver.url}/health/ready`)
  expect(ready.status).toBe(503)
  const { status } = await fetch(`${receiver.url}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"event_type": "custom", "session_id": "s", "data": {}}',
  })
  expect(status).toBe(503)
  await vi.waitUntil(() => receiver.log.some(({ msg }) => msg.startsWith('nothing is deleted until')))
  expect(
    receiver.log.some(({ reason }) => /3162\d{4} s ahead of the clock of Postgre/.test(String(reason))),
  ).toBe(true)
  expect(await countEvents()).toBe(events)
})

describe('a clock that goes wrong while the exporter runs', () => {
  it('makes it unhealthy and its maintenance drop nothing, until the clocks agree again', async () => {
    const events = await storeEvents()
    const logger = new RecordingLogger()
    const options = { databaseUrl, retentionDays: 10, maintenanceIntervalMillis: 100, logger }
    const exporter = await startExporter(options)
    turnClockBy(YEAR_MILLIS)
    await vi.waitUntil(() => logger.warnings.some(({ message }) => message.startsWith('nothing is deleted')))
    await expect(exporter.health()).rejects.toThrow('ahead of the clock of PostgreSQL')
    expect(await countEvents()).toBe(events)
    vi.useRealTimers()
    await exporter.health()
    expect(await send(exporter, sampleRecords(1))).toMatchObject({ stored: 1 })
  })
})

it('a clock that is off by minutes is warned of and may store', async () => {
  turnClockBy(-10 * MINUTE_MILLIS)
  const logger = new RecordingLogger()
  const exporter = await startExporter({ databaseUrl, logger })
  expect(logger.warnings.map(({ message }) => message)).toEqual([
    expect.stringContaining('600 s behind the clock of PostgreSQL'),
  ])
  expect(await send(exporter, sampleRecords(1))).toMatchObject({ stored: 1 })
})
