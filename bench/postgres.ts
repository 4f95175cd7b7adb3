import { parseArgs } from 'node:util'
import { type EventBatch, type EventRecord, jsonBytes, nowMicros, uuidv7 } from '@agentic-hooks/events'
import { createExporter } from '@agentic-hooks/exporter-postgres'
import { boundBytes, COPY_COLUMNS, CopyIn, encodeRows } from '@agentic-hooks/exporter-postgres/copy'
import { execute } from '@agentic-hooks/testing/postgres'
import { Client } from 'pg'
import { type BenchOptions, formatTable, interleaved, medianRows, type Row, shareOf } from './harness.ts'
import { parseCount, parseMillis } from './load/flags.ts'
import { sampleEvent } from './load/sample-events.ts'
import { treeCpuSeconds } from './processes.ts'
import { type PostgresStorage, postgresStorage } from './storage.ts'

export const question =
  'What does the PostgreSQL exporter cost beside raw COPY and beside other ways to insert?'

export interface PostgresBenchOptions extends BenchOptions {
  /** Rows that are in the table already, in whatever partition is today's. Default 0: it is emptied before each run. */
  readonly rows?: number
  /** Of the ways to store, those that are measured beside raw COPY. Default: all. */
  readonly only?: readonly string[]
}

/** As many events as a client's exporter sends at a time. */
const BATCH_EVENTS = 512
const CONNECTIONS = 2
/** Requests that wait for an answer at the same time. */
const CLIENTS = 16
/** Everything that a run sends is made before it starts, so a run is short; a longer time is several runs. */
const RUN_MILLIS = 3_000
const RAW_COPY = 'raw COPY'
const SECONDS = 'seconds measured'

export async function run(options: PostgresBenchOptions = {}): Promise<Row[]> {
  const { runs = 3, durationMillis = RUN_MILLIS, rows = 0, only = Object.keys(WAYS) } = options
  const names = Object.keys(WAYS).filter((name) => name === RAW_COPY || only.includes(name))
  const storage = await postgresStorage()
  const writers: Record<string, Writer> = {}
  try {
    for (const name of names) writers[name] = await WAYS[name]!(storage.url)
    await preload(storage, rows)
    const run = async (name: string) => {
      if (rows === 0) await storage.clear()
      return measure(storage, writers[name]!)
    }
    const measurements = await interleaved(
      Object.fromEntries(names.map((name) => [name, () => run(name)])),
      runs * Math.ceil(durationMillis / RUN_MILLIS),
    )
    return medianRows(measurements).map((row) => ({
      ...row,
      'of raw COPY': shareOf(measurements[String(row.variant)]!, measurements[RAW_COPY]!),
      [SECONDS]: measurements[String(row.variant)]!.reduce((sum, run) => sum + Number(run[SECONDS]), 0),
    }))
  } finally {
    for (const writer of Object.values(writers)) await writer.close()
    await storage.stop()
  }
}

const WAYS: Readonly<Record<string, (url: string) => Promise<Writer>>> = {
  [RAW_COPY]: rawCopy,
  exporter,
  unnest,
  'multi-row INSERT': multiRowInsert,
}

/** One way to store batches. */
interface Writer {
  /** How many batches wait at the same time. */
  readonly concurrency: number
  /** So many are made beforehand; a run in which all of them are stored ends early. */
  readonly maxEventsPerSecond: number
  /** What can be done before the clock runs; returns the rest. */
  prepare(batch: EventBatch): (lane: number) => Promise<unknown>
  close(): Promise<void>
}

async function measure({ postgresPid }: PostgresStorage, writer: Writer): Promise<Row> {
  const count = Math.ceil((writer.maxEventsPerSecond * RUN_MILLIS) / 1000 / BATCH_EVENTS)
  const writes = Array.from({ length: count }, () => writer.prepare(makeBatch()))
  const cpu = process.cpuUsage()
  const postgresBefore = treeCpuSeconds(postgresPid)
  const startedAt = performance.now()
  let taken = 0
  const drain = async (lane: number) => {
    while (taken < count && performance.now() - startedAt < RUN_MILLIS) await writes[taken++]!(lane)
  }
  await Promise.all(Array.from({ length: writer.concurrency }, (_, lane) => drain(lane)))
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const postgres = treeCpuSeconds(postgresPid) - postgresBefore
  const events = taken * BATCH_EVENTS
  return {
    'events/s': events / seconds,
    'Node CPU-s per million': (user + system) / events,
    'PostgreSQL CPU-s per million': (postgres * 1e6) / events,
    [SECONDS]: seconds,
  }
}

const SESSIONS = Array.from({ length: 20 }, (_, index) => `agent-${String(index).padStart(5, '0')}`)
const ORIGIN = { resource: jsonBytes({ 'service.name': 'bench', 'process.pid': 4242 }), scope: null }
const PAYLOADS = Array.from({ length: 64 }, (_, index) => {
  const { eventType, data } = sampleEvent(index)
  return { eventType, data: jsonBytes(data) }
})

function makeBatch(): EventBatch {
  const receivedAtMicros = nowMicros()
  let byteLength = 0
  const events = Array.from({ length: BATCH_EVENTS }, (_, index): EventRecord => {
    const { eventType, data } = PAYLOADS[index % PAYLOADS.length]!
    byteLength += 200 + data.byteLength
    return {
      // One piece, as a decoded id is; uuidv7 leaves it to the first reader to join the parts.
      eventId: Buffer.from(uuidv7()).toString(),
      eventType,
      sessionId: SESSIONS[index % SESSIONS.length]!,
      workflowId: 'wf-nightly-import',
      phaseId: 'implement',
      milestoneId: null,
      data,
      timestampMicros: receivedAtMicros + index,
      observedAtMicros: receivedAtMicros + index,
      severity: 9,
      traceId: null,
      spanId: null,
      attributes: null,
      origin: ORIGIN,
    }
  })
  return { events, receivedAtMicros, byteLength }
}

const COPY = `COPY hook_events (${COPY_COLUMNS}) FROM STDIN (FORMAT binary)`
const RESOURCE_IDS = new Map([[ORIGIN, { id: Buffer.alloc(16) }]])

async function rawCopy(url: string): Promise<Writer> {
  const clients = await connect(url)
  return {
    concurrency: CONNECTIONS,
    maxEventsPerSecond: 150_000,
    prepare({ events, receivedAtMicros }) {
      const rows = encodeRows(
        [{ events, receivedAtMicros, resources: RESOURCE_IDS }],
        Buffer.allocUnsafe(boundBytes(events)),
      )
      return (lane) =>
        new Promise((resolve, reject) => clients[lane]!.query(new CopyIn(COPY, rows, resolve, reject)))
    },
    close: () => disconnect(clients),
  }
}

async function exporter(url: string): Promise<Writer> {
  const exporter = createExporter({ databaseUrl: url, connections: CONNECTIONS })
  await exporter.start()
  const { signal } = new AbortController()
  return {
    concurrency: CLIENTS,
    maxEventsPerSecond: 150_000,
    prepare: (batch) => () => exporter.export(batch, { signal }),
    close: () => exporter.shutdown(),
  }
}

const INSERT_COLUMNS =
  'event_id, event_type, session_id, workflow_id, phase_id, data, "timestamp", observed_at, received_at, severity'
const COLUMN_TYPES = [
  ...['uuid', 'text', 'text', 'text', 'text', 'jsonb'],
  ...['timestamptz', 'timestamptz', 'timestamptz', 'smallint'],
]

function columnValues(event: EventRecord): unknown[] {
  const time = new Date(event.timestampMicros / 1000).toISOString()
  const data = Buffer.from(event.data).toString()
  return [
    ...[event.eventId, event.eventType, event.sessionId, event.workflowId, event.phaseId, data],
    ...[time, time, time, event.severity],
  ]
}

async function unnest(url: string): Promise<Writer> {
  const parameters = COLUMN_TYPES.map((type, index) => `$${index + 1}::${type}[]`)
  const text = `INSERT INTO hook_events (${INSERT_COLUMNS}) SELECT * FROM unnest(${parameters}) ON CONFLICT DO NOTHING`
  return insert(url, 'unnest', text, (rows) =>
    COLUMN_TYPES.map((_, column) => rows.map((values) => values[column])),
  )
}

async function multiRowInsert(url: string): Promise<Writer> {
  const width = COLUMN_TYPES.length
  const tuples = Array.from({ length: BATCH_EVENTS }, (_, row) => {
    return `(${COLUMN_TYPES.map((_, column) => `$${row * width + column + 1}`)})`
  })
  const text = `INSERT INTO hook_events (${INSERT_COLUMNS}) VALUES ${tuples} ON CONFLICT DO NOTHING`
  return insert(url, 'multi-row', text, (rows) => rows.flat())
}

/** A prepared statement with the values that were made before. */
async function insert(
  url: string,
  name: string,
  text: string,
  arrange: (rows: unknown[][]) => unknown[],
): Promise<Writer> {
  const clients = await connect(url)
  return {
    concurrency: CONNECTIONS,
    maxEventsPerSecond: 60_000,
    prepare({ events }) {
      const values = arrange(events.map(columnValues))
      return (lane) => clients[lane]!.query({ name, text, values })
    },
    close: () => disconnect(clients),
  }
}

async function connect(url: string): Promise<Client[]> {
  const clients = Array.from({ length: CONNECTIONS }, () => new Client({ connectionString: url }))
  await Promise.all(clients.map((client) => client.connect()))
  return clients
}

async function disconnect(clients: readonly Client[]): Promise<void> {
  await Promise.all(clients.map((client) => client.end()))
}

/** Rows like those that are measured, of the minute before, over as many connections as there are processors. */
async function preload({ url }: PostgresStorage, rows: number): Promise<void> {
  if (rows === 0) return
  const types = `ARRAY[${PAYLOADS.map(({ eventType }) => `'${eventType}'`)}]`
  const payloads = `ARRAY[${PAYLOADS.map(({ data }) => `'${Buffer.from(data)}'::jsonb`)}]`
  const insert = (first: number, last: number) =>
    execute(
      url,
      `INSERT INTO hook_events (${INSERT_COLUMNS})
         SELECT gen_random_uuid(), (${types})[n % ${PAYLOADS.length} + 1], 'agent-' || lpad((n % 20)::text, 5, '0'),
           'wf', 'implement', (${payloads})[n % ${PAYLOADS.length} + 1], at, at, at, 9
         FROM generate_series(${first}, ${last}) AS n
           CROSS JOIN LATERAL (SELECT now() - (${rows} - n) * interval '10 microseconds' AS at) AS times`,
    )
  const half = rows >> 1
  await Promise.all([insert(1, half), insert(half + 1, rows)])
  await execute(url, 'ANALYZE hook_events')
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      duration: { type: 'string' },
      runs: { type: 'string' },
      rows: { type: 'string' },
      only: { type: 'string' },
    },
  })
  const rows = await run({
    ...(values.duration && { durationMillis: parseMillis('duration', values.duration) }),
    ...(values.runs && { runs: parseCount('runs', values.runs) }),
    ...(values.rows && { rows: parseCount('rows', values.rows) }),
    ...(values.only && { only: values.only.split(',') }),
  })
  console.log(formatTable(rows))
}
