import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeLine, uuidv7 } from '@agentic-hooks/events'
import { type HttpRequest, send } from '@agentic-hooks/testing/http'
import { encodeLogsRequest } from '@agentic-hooks/testing/otlp'
import { type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import { storedEvents } from '@agentic-hooks/testing/stored-events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const EVENTS = 10_000
const BATCH = 500
const CONNECTIONS = 256

interface RestEvent {
  readonly event_id: string
  readonly event_type: string
  readonly session_id: string
  readonly workflow_id: string | null
  readonly data: Record<string, unknown>
  readonly timestamp: string
  readonly severity: number
  readonly trace_id: string
  readonly span_id: string
  readonly resource: Record<string, unknown>
  readonly scope: { readonly name: string; readonly version: string }
}

const RESOURCE = { 'service.name': 'swarm', 'process.pid': 4711 }
const SCOPE = { name: 'same-rows', version: '1.0.0' }
const FIRST_MICROS = 1_795_361_760_000_000

function eventOf(index: number): RestEvent {
  return {
    event_id: uuidv7(),
    event_type: index % 3 ? 'tool_execution_completed' : 'a custom type',
    session_id: `session-${index % 17}`,
    workflow_id: index % 2 ? `workflow-${index % 5}` : null,
    data: {
      index,
      tool_name: 'Bash',
      success: index % 7 !== 0,
      ratio: index + 0.5,
      negative: -index,
      text: `line one\nline "two" \\ ${String.fromCodePoint(0x1f600 + (index % 50))}`,
      list: [1, 'two', null, { three: [] }],
      nested: { deeper: { empty: {}, index } },
    },
    timestamp: new Date((FIRST_MICROS + index * 1000) / 1000).toISOString(),
    severity: 9,
    trace_id: index.toString(16).padStart(32, 'a'),
    span_id: index.toString(16).padStart(16, 'b'),
    resource: RESOURCE,
    scope: SCOPE,
  }
}

/** The same event as a log record in OTLP's JSON mapping; `id` makes bytes of hex digits. */
function logRecordOf(event: RestEvent, index: number, id: (hex: string) => string): object {
  const attributes: Record<string, unknown> = {
    'event.name': `agentic_hooks.${event.event_type}`,
    'log.record.uid': event.event_id,
    'session.id': event.session_id,
    'gen_ai.conversation.id': event.session_id,
    'gen_ai.tool.name': 'Bash',
    'agentic_hooks.data': event.data,
    ...(event.workflow_id !== null && { 'agentic_hooks.workflow.id': event.workflow_id }),
  }
  return {
    timeUnixNano: `${FIRST_MICROS + index * 1000}000`,
    severityNumber: event.severity,
    body: { stringValue: 'Bash completed' },
    traceId: id(event.trace_id),
    spanId: id(event.span_id),
    attributes: keyValues(attributes),
  }
}

function logsRequestOf(logRecords: readonly object[]): object {
  const resource = { attributes: keyValues(RESOURCE) }
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: SCOPE, logRecords }] }] }
}

function keyValues(object: Record<string, unknown>): object[] {
  return Object.entries(object).map(([key, value]) => ({ key, value: anyValue(value) }))
}

function anyValue(value: unknown): object {
  if (value === null) return {}
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } }
  if (typeof value === 'object')
    return { kvlistValue: { values: keyValues(value as Record<string, unknown>) } }
  return Number.isInteger(value) ? { intValue: value } : { doubleValue: value }
}

const toBase64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')
const asHex = (hex: string) => hex

/** Every way to send the events, as requests. */
const WAYS: Readonly<Record<string, (events: readonly RestEvent[]) => HttpRequest[]>> = {
  'OTLP protobuf': (events) =>
    batchesOf(events.map((event, index) => logRecordOf(event, index, toBase64))).map((records) => ({
      path: '/v1/logs',
      headers: { 'content-type': 'application/x-protobuf' },
      body: encodeLogsRequest(logsRequestOf(records)),
    })),
  'OTLP JSON': (events) =>
    batchesOf(events.map((event, index) => logRecordOf(event, index, asHex))).map((records) =>
      jsonRequest('/v1/logs', logsRequestOf(records)),
    ),
  'REST batches': (events) => batchesOf(events).map((batch) => jsonRequest('/events/batch', batch)),
  'REST one by one': (events) => events.map((event) => jsonRequest('/events', event)),
}

function jsonRequest(path: string, body: object): HttpRequest {
  return { path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

function batchesOf<T>(items: readonly T[]): T[][] {
  return Array.from({ length: items.length / BATCH }, (_, index) =>
    items.slice(index * BATCH, (index + 1) * BATCH),
  )
}

describe('the same 10,000 events', () => {
  const events = Array.from({ length: EVENTS }, (_, index) => eventOf(index))
  let postgres: PostgresServer
  let directory: string
  let expected: unknown

  beforeAll(async () => {
    postgres = await startPostgres()
    directory = await mkdtemp(join(tmpdir(), 'receiver-same-rows-'))
    // What a line of the same content means is the events package's business, and tested there.
    expected = events.map((event) => decodeLine(JSON.stringify(event))).map(comparable)
  })

  afterAll(async () => {
    await postgres.stop()
    await rm(directory, { recursive: true })
  })

  it.each(Object.entries(WAYS))(
    'give the same rows and lines through %s',
    async (name, requestsOf) => {
      const path = join(directory, `${name}.jsonl`)
      const databaseUrl = await postgres.createDatabase()
      await using receiver = await startReceiver({
        env: {
          STORAGE_TYPE: 'postgres,jsonl',
          DATABASE_URL: databaseUrl,
          JSONL_PATH: path,
          EXPORT_TIMEOUT_MILLIS: '60000', // However busy the machine is.
        },
      })
      await sendAll(receiver.url, requestsOf(events))
      const rows = await storedEvents(databaseUrl)
      assert.deepEqual(rows.map(comparable), expected)
      const lines = (await readFile(path, 'utf8')).trimEnd().split('\n').map(decodeLine)
      lines.sort((a, b) => a.timestampMicros - b.timestampMicros)
      assert.deepEqual(lines.map(comparable), expected)
    },
    120_000,
  )
})

async function sendAll(url: string, requests: HttpRequest[]): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const answers = await Promise.all(requests.map((request) => send(url, request, agent)))
  agent.destroy()
  const statuses = answers.map(({ status }) => status)
  expect([200, 202]).toEqual(expect.arrayContaining([...new Set(statuses)]))
}

function comparable({ data, attributes, origin, ...rest }: ReturnType<typeof decodeLine>): object {
  return {
    ...rest,
    data: parsed(data),
    attributes: parsed(attributes),
    resource: parsed(origin?.resource),
    scope: parsed(origin?.scope),
  }
}

function parsed(bytes: Uint8Array | null | undefined): unknown {
  return bytes ? JSON.parse(Buffer.from(bytes).toString()) : null
}
