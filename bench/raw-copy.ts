import { execFile } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { decodeEvent, formatTimestamp, nowMicros } from '@agentic-hooks/events'
import { boundBytes, COPY_COLUMNS, CopyIn, encodeRows } from '@agentic-hooks/exporter-postgres/copy'
import { Client } from 'pg'
import { eventIdAt, randomIdPrefix } from './load/ids.ts'
import { sampleEvent } from './load/sample-events.ts'

/*
 * What PostgreSQL itself can take, as the measure of a receiver in front of it: rows encoded beforehand, one
 * binary COPY after the other on every connection, each committed before the next. Nothing is received, decoded or
 * grouped. Run by itself it is the process that sends: `raw-copy.ts URL CONNECTIONS ROWS MILLIS`.
 */

export interface RawCopyOptions {
  readonly url: string
  readonly connections: number
  /** Rows of one COPY. */
  readonly rows: number
  readonly durationMillis: number
}

export interface RawCopyReport {
  readonly rows: number
  readonly seconds: number
  readonly cpuSeconds: number
}

/** Copies into `hook_events` from a process of its own. */
export async function rawCopy({
  url,
  connections,
  rows,
  durationMillis,
}: RawCopyOptions): Promise<RawCopyReport> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['-C', '@agentic-hooks/source', import.meta.filename],
    ...[url, connections, rows, durationMillis].map(String),
  ])
  return JSON.parse(stdout) as RawCopyReport
}

const COPY = `COPY hook_events (${COPY_COLUMNS}) FROM STDIN (FORMAT binary)`
const UUID_BYTES = 16
const ID_NUMBER_BYTES = 6
/** Between a row's id and its timestamp: the length of the latter. */
const LENGTH_BYTES = 4
const POSTGRES_EPOCH_MICROS = 946_684_800_000_000

async function main(
  url: string,
  connections: number,
  rows: number,
  durationMillis: number,
): Promise<RawCopyReport> {
  const clients = await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = new Client({ connectionString: url })
      await client.connect()
      return client
    }),
  )
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const counts = await Promise.all(clients.map((client) => copyUntil(client, rows, start + durationMillis)))
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  await Promise.all(clients.map((client) => client.end()))
  return { rows: counts.reduce((sum, count) => sum + count, 0), seconds, cpuSeconds: (user + system) / 1e6 }
}

async function copyUntil(client: Client, rows: number, endMillis: number): Promise<number> {
  const idPrefix = randomIdPrefix()
  const message = encodeSample(idPrefix, rows)
  const ids = offsetsOf(message, Buffer.from(idPrefix.replaceAll('-', ''), 'hex'))
  let copied = 0
  while (performance.now() < endMillis) {
    const time = BigInt(nowMicros() - POSTGRES_EPOCH_MICROS)
    for (const offset of ids) {
      message.writeUIntBE(copied++, offset + UUID_BYTES - ID_NUMBER_BYTES, ID_NUMBER_BYTES)
      message.writeBigInt64BE(time, offset + UUID_BYTES + LENGTH_BYTES)
    }
    await new Promise((resolve, reject) => client.query(new CopyIn(COPY, message, resolve, reject)))
  }
  return copied
}

/** The same events that the load generator sends, as the exporter writes them. */
function encodeSample(idPrefix: string, rows: number): Buffer {
  const origin = { resource: null, scope: null }
  const events = Array.from({ length: rows }, (_, index) => {
    const { eventType, data } = sampleEvent(index)
    const event = decodeEvent({
      event_id: eventIdAt(idPrefix, index),
      event_type: eventType,
      session_id: `agent-${String(index % 20).padStart(5, '0')}`,
      workflow_id: 'wf-nightly-import',
      phase_id: 'implement',
      data,
      severity: 9,
      timestamp: formatTimestamp(nowMicros()),
    })
    return { ...event, observedAtMicros: event.timestampMicros, origin }
  })
  const resources = new Map([[origin, { id: new Uint8Array(UUID_BYTES) }]])
  return encodeRows([{ events, receivedAtMicros: nowMicros(), resources }], Buffer.alloc(boundBytes(events)))
}

function offsetsOf(bytes: Buffer, prefix: Buffer): number[] {
  const offsets: number[] = []
  for (let at = bytes.indexOf(prefix); at !== -1; at = bytes.indexOf(prefix, at + UUID_BYTES))
    offsets.push(at)
  return offsets
}

if (import.meta.main) {
  const [url = '', ...numbers] = process.argv.slice(2)
  const [connections = 2, rows = 512, durationMillis = 5_000] = numbers.map(Number)
  console.log(JSON.stringify(await main(url, connections, rows, durationMillis)))
}
