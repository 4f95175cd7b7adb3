import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { startLoad } from '@agentic-hooks/bench/load/start'
import { peakResidentBytes, residentBytes, treeCpuSeconds } from '@agentic-hooks/bench/processes'
import { startCollector } from '@agentic-hooks/testing/collector/collector'
import { commandLine, integer } from '@agentic-hooks/testing/command-line'
import { execute, freePort, startPostgres } from '@agentic-hooks/testing/postgres'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import { countStored } from '../interop/database.ts'

/*
 * `npm run sizing [-- --events N]`: the figures of docs/operate/sizing.md. Disk and memory are what they are on any machine
 * of the same architecture; times are this machine's.
 */

const POLL_MILLIS = 200
const HELP = `npm run sizing -- [--events N]

Measures the figures of docs/operate/sizing.md with a receiver, a PostgreSQL and a Collector of its own.

  --events N    default 300000
`
const { values } = commandLine(HELP, { events: { type: 'string', default: '300000' } })
const EVENTS = integer('events', values.events, 1)

const postgres = await startPostgres({ owned: true })
try {
  console.table(await storage())
  console.table(await backlog())
} finally {
  await postgres.stop()
}

/** What an event takes in PostgreSQL, and what a receiver takes. */
async function storage(): Promise<Record<string, string>> {
  const databaseUrl = await postgres.createDatabase()
  await using receiver = await startReceiver({ env: { DATABASE_URL: databaseUrl } })
  const idle = residentBytes(receiver.pid)
  const walBefore = await walBytes(databaseUrl)
  const cpuBefore = treeCpuSeconds(receiver.pid)
  const load = await startLoad({ target: receiver.url, connections: 1000, records: 50, totalEvents: EVENTS })
  const cpuSeconds = treeCpuSeconds(receiver.pid) - cpuBefore
  await execute(databaseUrl, 'CHECKPOINT')
  const { events } = await countStored(databaseUrl)
  const wal = (await walBytes(databaseUrl)) - walBefore
  await execute(databaseUrl, 'VACUUM (FREEZE) hook_events')
  const [sizes] = await execute(
    databaseUrl,
    `SELECT sum(pg_relation_size(oid)) FILTER (WHERE relkind = 'r')::float8 AS rows,
       sum(pg_relation_size(oid)) FILTER (WHERE relname LIKE '%_pkey')::float8 AS key,
       sum(pg_relation_size(oid)) FILTER (WHERE relname LIKE '%_session%')::float8 AS session
     FROM pg_class WHERE relname LIKE 'hook_events%'`,
  )
  const { rows, key, session } = sizes as Record<'rows' | 'key' | 'session', number>
  return {
    events: events.toLocaleString('en'),
    'OTLP, bytes an event': load.bodyBytesPerEvent.toFixed(0),
    'rows, bytes an event': (rows / events).toFixed(0),
    'primary key, bytes an event': (key / events).toFixed(0),
    'session index, bytes an event': (session / events).toFixed(1),
    'WAL, bytes an event': (wal / events).toFixed(0),
    'receiver idle, MiB': mebibytes(idle),
    'receiver with 1,000 connections, MiB at most': mebibytes(peakResidentBytes(receiver.pid)),
    'receiver, CPU µs an event': ((cpuSeconds * 1e6) / events).toFixed(1),
  }
}

/** What an event takes in the Collector's queue while the receiver is away, and how fast the backlog goes. */
async function backlog(): Promise<Record<string, string>> {
  const databaseUrl = await postgres.createDatabase()
  const port = await freePort()
  await using collector = await startCollector({ receiverUrl: `http://127.0.0.1:${port}` })
  const load = await startLoad({ target: collector.url, connections: 16, records: 50, totalEvents: EVENTS })
  const queued = Number(/^otelcol_exporter_queue_size\{.*\} (\S+)$/m.exec(await collector.metrics())?.[1])
  const onDisk = await folderBytes(collector.queueDirectory)
  await using _receiver = await startReceiver({ env: { DATABASE_URL: databaseUrl, PORT: String(port) } })
  // The Collector may wait half a minute before it tries again.
  await untilStored(databaseUrl, 1)
  const startedAt = performance.now()
  await untilStored(databaseUrl, load.acceptedEvents)
  const seconds = (performance.now() - startedAt) / 1000
  return {
    'events accepted while the receiver was away': load.acceptedEvents.toLocaleString('en'),
    'in the queue, bytes an event': (queued / load.acceptedEvents).toFixed(0),
    'file of the queue, bytes an event': (onDisk / load.acceptedEvents).toFixed(0),
    'accepted a second, fsync on': (load.acceptedEvents / load.seconds).toFixed(0),
    'stored a second afterwards': (load.acceptedEvents / seconds).toFixed(0),
  }
}

async function untilStored(databaseUrl: string, events: number): Promise<void> {
  while ((await countStored(databaseUrl)).events < events) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS))
  }
}

async function walBytes(databaseUrl: string): Promise<number> {
  const [row] = await execute(
    databaseUrl,
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS bytes`,
  )
  return row?.bytes as number
}

async function folderBytes(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}
