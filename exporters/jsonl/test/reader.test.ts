import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  batchOf,
  type EventQuery,
  type EventRecord,
  isEventReader,
  jsonBytes,
  queryEvents,
  type StoredEvent,
  toHookEvent,
} from '@agentic-hooks/events'
import { hardRecords, sampleRecord } from '@agentic-hooks/events/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createExporter, type JsonlExporter } from '../src/index.ts'

const never = new AbortController().signal
let directory = ''
let path = ''
let warnings: object[] = []
let exporter: JsonlExporter

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'exporter-jsonl-reader-'))
  path = join(directory, 'events.jsonl')
  warnings = []
  const logger = { info() {}, warn: (fields: object) => void warnings.push(fields) }
  exporter = createExporter({ path, maxFileBytes: 2000 }, { logger })
  await exporter.start()
})

afterEach(async () => {
  await exporter.shutdown()
  rmSync(directory, { recursive: true, force: true })
})

/** Each in a batch of its own, so that the file is rotated in between. */
async function write(...records: EventRecord[]): Promise<void> {
  for (const record of records) await exporter.export(batchOf([record]), { signal: never })
}

async function read(query: EventQuery = {}, from = exporter): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const event of queryEvents(from, query)) events.push(event)
  return events
}

const ids = (events: readonly { eventId: string }[]) => events.map(({ eventId }) => eventId)
const at = (second: number, fields: Partial<EventRecord> = {}) =>
  sampleRecord({ timestampMicros: second * 1_000_000, ...fields })

describe('query', () => {
  it('gives all events of all files by time, then by id', async () => {
    const records = Array.from({ length: 30 }, (_, index) => at(1000 + ((index * 7) % 10)))
    await write(...records)
    const expected = records.toSorted(
      (a, b) => a.timestampMicros - b.timestampMicros || (a.eventId < b.eventId ? -1 : 1),
    )
    expect(await read()).toEqual(expected.map(toHookEvent))
    expect(isEventReader(exporter)).toBe(true)
  })

  it('gives every hard value back', async () => {
    const records = [...hardRecords().values()]
    await exporter.export(batchOf(records), { signal: never })
    const found = new Map((await read()).map((event) => [event.eventId, event]))
    for (const record of records) {
      const { data, attributes, resource, scope, ...rest } = toHookEvent(record)
      expect(found.get(record.eventId)).toMatchObject(rest)
    }
    const hardText = records[1]!
    expect(ids(await read({ sessionId: hardText.sessionId }))).toEqual([hardText.eventId])
    expect(ids(await read({ eventTypes: [hardText.eventType] }))).toEqual([hardText.eventId])
  })

  it('gives those that meet every condition', async () => {
    const wanted = at(2000, { sessionId: 's-2', eventType: 'tool_blocked' })
    await write(
      at(1000, { sessionId: 's-2', eventType: 'tool_blocked' }),
      wanted,
      at(2000, { sessionId: 's-1', eventType: 'tool_blocked' }),
      at(2000, { sessionId: 's-2', eventType: 'custom', data: jsonBytes({ text: 'tool_blocked' }) }),
      at(3000, { sessionId: 's-2', eventType: 'tool_blocked' }),
    )
    const query = { sessionId: 's-2', eventTypes: ['tool_blocked', 'other'] }
    expect(ids(await read({ ...query, from: new Date(2_000_000), to: new Date(3_000_000) }))).toEqual([
      wanted.eventId,
    ])
    expect(await read({ ...query, from: new Date(1_000_000), to: new Date(3_000_001) })).toHaveLength(3)
    expect(await read({ eventTypes: [] })).toEqual([])
  })

  it('gives an event once that was stored twice', async () => {
    const record = sampleRecord()
    await write(record, sampleRecord(), record)
    expect(await read()).toHaveLength(2)
  })

  it('reads older flat lines, without event ids too, and counts lines that are none', async () => {
    await exporter.shutdown()
    writeFileSync(
      path,
      '{"timestamp": "2025-01-02T03:04:05", "event_type": "hook_decision", "handler": "guard", "session_id": "old"}\n' +
        'not JSON\n\n{"no":"type"}\n',
    )
    expect(await read({ sessionId: 'old' })).toMatchObject([
      { eventType: 'hook_decision', data: { handler: 'guard' } },
    ])
    expect(await read()).toHaveLength(1)
    expect(warnings).toEqual([{ path, wrongLines: 2 }])
  })

  it('does not read a line that is only half written', async () => {
    await write(sampleRecord())
    appendFileSync(path, '{"event_type":"custom","x":"')
    expect(await read()).toHaveLength(1)
    expect(warnings).toEqual([])
  })

  it('is answered without a start, beside the process that writes', async () => {
    await write(sampleRecord())
    expect(await read({}, createExporter({ path }))).toHaveLength(1)
    expect(await read({}, createExporter({ path: join(directory, 'not', 'there.jsonl') }))).toEqual([])
  })

  it('reads lines longer than what is read at a time', async () => {
    const data = jsonBytes({ text: 'x'.repeat(3 * 2 ** 20) })
    const records = [at(1), at(2, { data }), at(3)]
    await write(...records)
    expect(ids(await read())).toEqual(ids(records))
  })
})

describe('sessions', () => {
  it('sums sessions up, the latest started first', async () => {
    const failed = jsonBytes({ success: false })
    const inFirst = (second: number, eventType: string, data = jsonBytes({})) =>
      at(second, { sessionId: 'first', eventType, data })
    const twice = inFirst(1002, 'tool_execution_started')
    await write(
      inFirst(1005, 'session_completed'),
      inFirst(1000, 'session_started'),
      twice,
      inFirst(1003, 'tool_execution_completed', failed),
      inFirst(1003, 'tool_execution_completed', jsonBytes({ success: true })),
      inFirst(1004, 'tool_blocked'),
      inFirst(1004, 'error_occurred'),
      at(2000, { sessionId: 'second', eventType: 'tool_execution_started' }),
      twice,
    )
    expect((await exporter.readSessions({})).sessions).toEqual([
      {
        sessionId: 'second',
        startedAt: new Date(2_000_000),
        lastEventAt: new Date(2_000_000),
        events: 1,
        tools: 1,
        failures: 0,
        blocked: 0,
      },
      {
        sessionId: 'first',
        startedAt: new Date(1_000_000),
        lastEventAt: new Date(1_005_000),
        events: 7,
        tools: 1,
        failures: 2,
        blocked: 1,
      },
    ])
    expect((await exporter.readSessions({}, { limit: 1 })).sessions).toMatchObject([{ sessionId: 'second' }])
    expect(
      (await exporter.readSessions({ sessionId: 'first', eventTypes: ['tool_blocked'] })).sessions,
    ).toMatchObject([{ sessionId: 'first', events: 1, blocked: 1 }])
  })
})
