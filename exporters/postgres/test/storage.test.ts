import { batchOf, type EventRecord, jsonBytes, MAX_TIMESTAMP_MICROS } from '@agentic-hooks/events'
import { sampleRecord, sampleRecords } from '@agentic-hooks/events/testing'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { storedEvents, valueIn } from '@agentic-hooks/testing/stored-events'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { UnavailableError } from '../src/index.ts'
import { emptyDatabase, send, startExporter } from './exporters.ts'

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

const countStored = () => valueIn(databaseUrl, 'SELECT count(*)::int FROM hook_events')

/** Makes PostgreSQL refuse rows as a trigger of the user's would. */
const refuseRows = (condition: string, sqlstate: string) =>
  execute(
    databaseUrl,
    `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF ${condition} THEN RAISE EXCEPTION 'refused for a test' USING ERRCODE = '${sqlstate}'; END IF;
       RETURN NEW;
     END $$;
     CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION refuse()`,
  )

describe('rows', () => {
  it('hold any event that decoding can make', async () => {
    const exporter = await startExporter({ databaseUrl })
    const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll('\0', ' '))
    const nullable = fc.option(text)
    const record = fc.record<Partial<EventRecord>>({
      eventId: fc.uuid(),
      eventType: text.map((value) => `x${value}`),
      sessionId: text,
      workflowId: nullable,
      phaseId: nullable,
      milestoneId: nullable,
      data: fc.dictionary(text, text).map(jsonBytes),
      timestampMicros: fc.integer({ min: 1, max: MAX_TIMESTAMP_MICROS }),
      severity: fc.option(fc.integer({ min: 1, max: 24 })),
      attributes: fc.option(fc.dictionary(text, text).map(jsonBytes)),
      traceId: fc.option(
        fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 }),
      ),
    })
    const records = fc.sample(record, { numRuns: 500, seed: 7 }).map((fields) => sampleRecord(fields))
    await send(exporter, records)
    const stored = new Map((await storedEvents(databaseUrl)).map((event) => [event.eventId, event]))
    for (const sent of records) {
      const { data, attributes, ...fields } = stored.get(sent.eventId)!
      const { data: sentData, attributes: sentAttributes, ...sentFields } = sent
      expect(fields).toEqual(sentFields)
      expect([data, attributes].map(parse)).toEqual([sentData, sentAttributes].map(parse))
    }
  })

  it('keep the times of observation and of receipt', async () => {
    const exporter = await startExporter({ databaseUrl })
    const batch = batchOf([sampleRecord({ observedAtMicros: 1_700_000_000_000_001 })], 1_700_000_000_000_002)
    await exporter.export(batch, { signal: new AbortController().signal })
    const [row] = await execute(
      databaseUrl,
      `SELECT (extract(epoch FROM observed_at) * 1e6)::bigint AS observed, (extract(epoch FROM received_at) * 1e6)::bigint AS received FROM hook_events`,
    )
    expect(row).toEqual({ observed: '1700000000000001', received: '1700000000000002' })
  })
})

function parse(json: Uint8Array | null): unknown {
  return json && JSON.parse(Buffer.from(json).toString())
}

describe('batches that wait for a connection', () => {
  const transactions = async (maxGroupBytes: number) => {
    const exporter = await startExporter({ databaseUrl, connections: 1, maxGroupBytes })
    await Promise.all(Array.from({ length: 51 }, () => send(exporter, sampleRecords(2))))
    return valueIn(databaseUrl, 'SELECT count(DISTINCT xmin::text)::int FROM hook_events')
  }

  it('are committed together', async () => {
    expect(await transactions(2 ** 20)).toBe(2) // the first alone, for nothing kept it waiting
  })

  it('are committed one by one when no two fit into maxGroupBytes', async () => {
    expect(await transactions(1024)).toBe(51)
  })
})

describe('a batch that comes again', () => {
  it('is stored once when ten copies arrive at once at each of three receivers', async () => {
    const receivers = await Promise.all([1, 2, 3].map(() => startExporter({ databaseUrl, connections: 2 })))
    const events = sampleRecords(300)
    const results = await Promise.all(
      receivers.flatMap((receiver) => Array.from({ length: 10 }, () => send(receiver, events))),
    )
    expect(results.reduce((sum, { stored }) => sum + stored, 0)).toBe(300)
    expect(results.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(29 * 300)
    expect(await countStored()).toBe(300)
  })

  it('is stored once when batches overlap and come in every order on all connections', async () => {
    const receivers = await Promise.all([1, 2].map(() => startExporter({ databaseUrl, connections: 3 })))
    const events = sampleRecords(200).map((event, index) => ({
      ...event,
      timestampMicros: 1e15 + (index % 7),
    }))
    const batches = Array.from({ length: 60 }, (_, index) => {
      const some = events.filter((_, number) => (number * 31 + index * 17) % 3 > 0)
      return index % 2 ? some : some.toReversed()
    })
    const results = await Promise.all(batches.map((batch, index) => send(receivers[index % 2]!, batch)))
    expect(results.reduce((sum, { stored }) => sum + stored, 0)).toBe(200)
    expect(await countStored()).toBe(200)
  })

  it('is counted batch by batch when new and old ones are written together', async () => {
    const exporter = await startExporter({ databaseUrl, connections: 1 })
    const [old, fresh, other] = [sampleRecords(10), sampleRecords(5), sampleRecords(1)]
    await send(exporter, old)
    const results = await Promise.all([
      send(exporter, other), // occupies the connection, so that the rest become one group
      send(exporter, fresh),
      send(exporter, old),
      send(exporter, [...old, ...fresh]),
    ])
    expect(results.map(({ stored, duplicates }) => stored + duplicates)).toEqual([1, 5, 10, 15])
    expect(results[2]).toMatchObject({ stored: 0, duplicates: 10 })
    // Of the two batches with the new events, either may count as the first.
    expect(results[1]!.stored + results[3]!.stored).toBe(5)
  })

  it('is a new event when its time is another one', async () => {
    const exporter = await startExporter({ databaseUrl })
    const event = sampleRecord()
    await send(exporter, [event])
    const moved = await send(exporter, [{ ...event, timestampMicros: event.timestampMicros + 1 }])
    expect(moved).toMatchObject({ stored: 1, duplicates: 0 })
  })

  it('meets a deadlock that is never heard of outside', async () => {
    const exporter = await startExporter({ databaseUrl })
    await execute(databaseUrl, 'CREATE SEQUENCE attempts')
    await refuseRows("nextval('attempts') <= 3", '40P01')
    expect(await send(exporter, sampleRecords(2))).toEqual({ stored: 2, duplicates: 0, rejected: [] })
    expect(Number(await valueIn(databaseUrl, 'SELECT last_value FROM attempts'))).toBeGreaterThan(3)
  })
})

describe('a row that PostgreSQL refuses', () => {
  const poison = () => sampleRecord({ data: Buffer.from('{"no":JSON}') })

  it('is rejected alone, and the batches that were written with it are stored whole', async () => {
    const exporter = await startExporter({ databaseUrl, connections: 1 })
    const bad = poison()
    const [, before, poisoned, after] = await Promise.all([
      send(exporter, sampleRecords(1)),
      send(exporter, sampleRecords(50)),
      send(exporter, [...sampleRecords(20), bad, ...sampleRecords(20)]),
      send(exporter, sampleRecords(50)),
    ])
    expect(before).toEqual({ stored: 50, duplicates: 0, rejected: [] })
    expect(after).toEqual({ stored: 50, duplicates: 0, rejected: [] })
    expect(poisoned).toEqual({
      stored: 40,
      duplicates: 0,
      rejected: [
        { eventId: bad.eventId, reason: 'PostgreSQL refuses it: invalid input syntax for type json' },
      ],
    })
    expect(await countStored()).toBe(141)
  })

  it('is found among others like it, and among duplicates', async () => {
    const exporter = await startExporter({ databaseUrl })
    const old = sampleRecords(30)
    await send(exporter, old)
    const bad = [poison(), poison(), poison()]
    const result = await send(exporter, [
      ...[bad[0]!, ...old.slice(0, 15), bad[1]!],
      ...[...sampleRecords(30), ...old.slice(15), bad[2]!],
    ])
    expect(result).toMatchObject({ stored: 30, duplicates: 30 })
    expect(new Set(result.rejected.map(({ eventId }) => eventId))).toEqual(
      new Set(bad.map(({ eventId }) => eventId)),
    )
  })

  it('may be every row of a batch', async () => {
    const exporter = await startExporter({ databaseUrl })
    const { stored, rejected } = await send(exporter, Array.from({ length: 200 }, poison))
    expect([stored, rejected.length]).toEqual([0, 200])
  })

  it('is found by bisection where the error names no row', async () => {
    const exporter = await startExporter({ databaseUrl })
    const old = sampleRecords(40)
    await send(exporter, old)
    // With duplicates in the batch, the trigger fires in an INSERT that knows nothing of lines.
    await refuseRows("NEW.session_id = 'refused'", 'P0001')
    const bad = [sampleRecord({ sessionId: 'refused' }), sampleRecord({ sessionId: 'refused' })]
    const result = await send(exporter, [bad[0]!, ...old, ...sampleRecords(40), bad[1]!])
    expect(result).toMatchObject({ stored: 40, duplicates: 40 })
    expect(result.rejected.map(({ eventId }) => eventId).sort()).toEqual(
      bad.map(({ eventId }) => eventId).sort(),
    )
    expect(result.rejected[0]?.reason).toBe('PostgreSQL refuses it: refused for a test')
  })

  it('may be refused for a CHECK that someone added, or for its resource', async () => {
    const exporter = await startExporter({ databaseUrl })
    await execute(databaseUrl, `ALTER TABLE hook_events ADD CHECK (event_type <> 'forbidden')`)
    const forbidden = sampleRecord({ eventType: 'forbidden' })
    const broken = sampleRecord({ origin: { resource: Buffer.from('{'), scope: null } })
    const { stored, rejected } = await send(exporter, [sampleRecord(), forbidden, sampleRecord(), broken])
    expect(stored).toBe(2)
    expect(Object.fromEntries(rejected.map(({ eventId, reason }) => [eventId, reason]))).toEqual({
      [forbidden.eventId]: expect.stringContaining('check constraint'),
      [broken.eventId]: expect.stringContaining('json'),
    })
  })

  it('may be one whose id is no UUID', async () => {
    const exporter = await startExporter({ databaseUrl })
    const ids = [
      '',
      'not a uuid',
      'zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz',
      'ffffffff-ffff-ffff-ffff-ffffffffffffff',
    ]
    const upperCase = 'ABCDEFAB-CDEF-4ABC-8DEF-0123456789AB'
    const records = [...ids, upperCase].map((eventId) => sampleRecord({ eventId }))
    const { stored, rejected } = await send(exporter, records)
    expect([stored, rejected.map(({ eventId }) => eventId).sort()]).toEqual([1, ids.toSorted()])
    expect(await valueIn(databaseUrl, 'SELECT event_id FROM hook_events')).toBe(upperCase.toLowerCase())
  })

  it.each([
    ['23514', 'check_violation'],
    ['22021', 'character_not_in_repertoire'],
    ['54000', 'program_limit_exceeded'],
  ])('by SQLSTATE %s (%s) is rejected', async (sqlstate) => {
    const exporter = await startExporter({ databaseUrl })
    await refuseRows("NEW.session_id = 'refused'", sqlstate)
    const { stored, rejected } = await send(exporter, [
      sampleRecord(),
      sampleRecord({ sessionId: 'refused' }),
    ])
    expect([stored, rejected.length]).toEqual([1, 1])
  })

  it.each([
    ['53100', 'disk_full'],
    ['53200', 'out_of_memory'],
    ['55P03', 'lock_not_available'],
    ['57014', 'query_canceled'],
    ['25006', 'read_only_sql_transaction'],
    ['57P01', 'admin_shutdown'],
    ['42501', 'insufficient_privilege'],
    ['XX000', 'internal_error'],
    ['40001', 'serialization_failure, for ever'],
  ])('by SQLSTATE %s (%s) makes the batch come again later', async (sqlstate) => {
    const exporter = await startExporter({ databaseUrl })
    await refuseRows('true', sqlstate)
    const events = sampleRecords(3)
    await expect(send(exporter, events)).rejects.toThrow(UnavailableError)
    await execute(databaseUrl, 'DROP TRIGGER refuse ON hook_events')
    await expect
      .poll(() =>
        send(exporter, events).then(
          ({ stored }) => stored,
          () => 0,
        ),
      )
      .toBe(3)
  })
})

describe('a server that answers but cannot store', () => {
  it.each([
    ['53100', 'disk_full'],
    ['42501', 'insufficient_privilege'],
  ])('is not healthy from a write that fails with %s (%s) to one that does not', async (sqlstate) => {
    const exporter = await startExporter({ databaseUrl })
    await refuseRows('true', sqlstate)
    const events = sampleRecords(3)
    await expect(send(exporter, events)).rejects.toThrow(UnavailableError)
    await expect(exporter.health()).rejects.toThrow(sqlstate)

    await execute(databaseUrl, 'DROP TRIGGER refuse ON hook_events')
    await send(exporter, events)
    await exporter.health()
  })
})

describe('resources', () => {
  const origin = { resource: jsonBytes({ 'service.name': 'a' }), scope: jsonBytes({ name: 's' }) }

  it('are stored once for all events, batches and receivers that share them', async () => {
    const receivers = await Promise.all([startExporter({ databaseUrl }), startExporter({ databaseUrl })])
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        send(receivers[index % 2]!, sampleRecords(10, { origin: { ...origin } })),
      ),
    )
    expect(await execute(databaseUrl, 'SELECT resource, scope FROM hook_resources')).toEqual([
      { resource: { 'service.name': 'a' }, scope: { name: 's' } },
    ])
    expect(await valueIn(databaseUrl, 'SELECT count(DISTINCT resource_id)::int FROM hook_events')).toBe(1)
  })

  it('are there before an event that refers to them, also when the event is refused', async () => {
    const exporter = await startExporter({ databaseUrl })
    await refuseRows('true', '53100')
    await expect(send(exporter, sampleRecords(1, { origin }))).rejects.toThrow('53100')
    expect(await valueIn(databaseUrl, 'SELECT count(*)::int FROM hook_resources')).toBe(1)
  })

  it('are last seen with the latest event, to within a day', async () => {
    const exporter = await startExporter({ databaseUrl })
    const sendAt = (micros: number) =>
      exporter.export(batchOf([sampleRecord({ origin, timestampMicros: micros })], micros), {
        signal: new AbortController().signal,
      })
    const lastSeen = () =>
      valueIn(databaseUrl, 'SELECT extract(epoch FROM last_seen)::int FROM hook_resources')
    const HOUR = 3_600_000_000
    await sendAt(1_700_000_000_000_000)
    await sendAt(1_700_000_000_000_000 + 23 * HOUR)
    expect(await lastSeen()).toBe(1_700_000_000)
    await sendAt(1_700_000_000_000_000 + 25 * HOUR)
    expect(await lastSeen()).toBe(1_700_000_000 + 25 * 3600)
    await sendAt(1_600_000_000_000_000)
    expect(await lastSeen()).toBe(1_700_000_000 + 25 * 3600)
  })
})
