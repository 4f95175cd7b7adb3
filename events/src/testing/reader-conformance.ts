import assert from 'node:assert/strict'
import { batchOf, type EventRecord } from '../batch.ts'
import { jsonBytes } from '../codec/json.ts'
import { nowMicros } from '../codec/time.ts'
import type { Exporter, ExporterContext } from '../exporter.ts'
import {
  type EventPage,
  type EventQuery,
  type EventReader,
  MAX_PAGE_LIMIT,
  type PageOrder,
  type PageRequest,
  type SessionPage,
} from '../reader.ts'
import type { ConformanceCase } from './conformance.ts'
import { eventsOf, sessionsOf } from './expected-answers.ts'
import { PATIENCE_MILLIS, settles } from './patience.ts'
import { sampleRecord } from './samples.ts'

/** The knowledge that the suite needs of a store that answers questions. */
export interface ReaderHarness {
  /** A new exporter over an empty store, not started; it is given the context as `createExporter` is. */
  create(context: ExporterContext): ReadableExporter | Promise<ReadableExporter>
  /** Called after each case, when the exporter was shut down: removes what create() made. */
  close?(): Promise<void>
}

type ReadableExporter = Exporter & EventReader
type Check = (store: ReadableExporter) => Promise<void>

/**
 * The demands on every store that answers questions; each case runs on a new exporter over an empty store, and
 * expects the answers of a plain list in memory, so that all stores that pass give equal answers.
 */
export function readerConformance(harness: ReaderHarness): ConformanceCase[] {
  return Object.entries({ ...answering, ...paging, ...refusing }).map(([name, check]) => ({
    name,
    run: async () => {
      const store = await harness.create({ logger: { info() {}, warn() {} } })
      try {
        await settles(store.start(), 'start()')
        await check(store)
      } finally {
        await settles(store.shutdown(), 'shutdown()')
        await harness.close?.()
      }
    },
  }))
}

const ODD_NAMES = [
  '',
  ' ',
  '__proto__',
  'constructor',
  "o'brien'; DROP TABLE hook_events; --",
  '"quoted"',
  'back\\slash \\u0041',
  '100%_',
  '{"a":1}',
  'two\nlines\t',
  '日本',
  '\uFFFD',
  '👾',
  '👩‍👩‍👧',
  'É',
  'E\u0301',
  'Z',
  'a',
]

const answering: Record<string, Check> = {
  'answers for an empty store': async (store) => {
    assert.deepEqual(await events(store, {}), { events: [], next: null, previous: null })
    assert.deepEqual(await sessions(store, {}), { sessions: [], next: null, previous: null })
  },

  'gives the newest hundred first by default': async (store) => {
    const records = tied(120)
    await send(store, records)
    const page = await events(store, {})
    assert.deepEqual(page.events, eventsOf(records, {}).slice(0, 100))
    assert.ok(page.next, 'there is a next page')
    assert.equal(page.previous, null)
  },

  'gives the events and sessions that meet every condition, whatever the combination': async (store) => {
    const types = ['tool_blocked', 'tool_execution_started', 'error_occurred', 'custom']
    const records = Array.from({ length: 48 }, (_, index) =>
      at(index % 7, { sessionId: `s-${index % 3}`, eventType: types[index % 4]! }),
    )
    await send(store, records)
    const times = [undefined, 2, 3, 5]
    for (const sessionId of [undefined, 's-1', 's-', 'S-1'])
      for (const eventTypes of [undefined, [], ['tool_blocked'], ['custom', 'error_occurred', 'not there']])
        for (const from of times)
          for (const to of times) {
            await assertAnswers(store, records, {
              ...(sessionId !== undefined && { sessionId }),
              ...(eventTypes && { eventTypes }),
              ...(from !== undefined && { from: dateOf(from) }),
              ...(to !== undefined && { to: dateOf(to) }),
            })
          }
  },

  'takes odd names for names like any others': async (store) => {
    const records = ODD_NAMES.map((name) =>
      at(1, { sessionId: name, eventType: name || 'none', data: jsonBytes({ [name]: name }) }),
    )
    await send(store, records)
    for (const name of [...ODD_NAMES, 'not there', 'a\0', '\uD800', '\uD83D']) {
      await assertAnswers(store, records, { sessionId: name })
      await assertAnswers(store, records, { eventTypes: [name] })
    }
  },

  'takes any time that a Date can hold': async (store) => {
    const records = [at(1), at(2)]
    await send(store, records)
    const times = [-8.64e15, -62_200_000_000_000, 0, 253_402_300_800_000, 8.64e15].map(
      (millis) => new Date(millis),
    )
    for (const from of times) for (const to of times) await assertAnswers(store, records, { from, to })
  },

  'counts an event once that came twice': async (store) => {
    const records = [at(1, { eventType: 'tool_blocked' }), at(1), at(2)]
    await send(store, records)
    await send(store, records)
    await assertAnswers(store, records, {})
  },

  'counts the tools, failures and blocked tools of a session': async (store) => {
    const failed = { eventType: 'tool_execution_completed', data: jsonBytes({ success: false }) }
    const odd = [
      { success: 'false' },
      { success: null },
      { success: [false] },
      { nested: { success: false } },
    ]
    const records = [
      at(1, { eventType: 'tool_execution_started' }),
      at(2, failed),
      at(3, { eventType: 'tool_blocked' }),
      at(4, { eventType: 'error_occurred' }),
      at(5, { eventType: 'custom', data: jsonBytes({ success: false }) }),
      ...odd.map((data) => at(6, { eventType: 'tool_execution_completed', data: jsonBytes(data) })),
    ]
    await send(store, records)
    const [session] = (await sessions(store, {})).sessions
    assert.deepEqual(session, {
      sessionId: 'session-1',
      startedAt: dateOf(1),
      lastEventAt: dateOf(6),
      ...{ events: 9, tools: 1, failures: 2, blocked: 1 },
    })
  },
}

const paging: Record<string, Check> = {
  'leads through all events of tied times and back, page by page': async (store) => {
    const records = tied(23)
    await send(store, records)
    for (const order of ['descending', 'ascending'] as const)
      for (const limit of [1, 3, 22, 23, 24]) {
        const expected = eventsOf(records, {}, order)
        const walked = await walk(
          (page) => events(store, {}, page),
          (page) => page.events,
          { limit, order },
        )
        assert.deepEqual(walked, [expected, expected], `${order} pages of ${limit}`)
      }
  },

  'leads through all sessions of tied starts and back, page by page': async (store) => {
    const records = ODD_NAMES.flatMap((sessionId, index) => [
      at(Math.floor(index / 6), { sessionId }),
      at(9, { sessionId }),
    ])
    await send(store, records)
    for (const order of ['descending', 'ascending'] as const)
      for (const limit of [1, 5, ODD_NAMES.length]) {
        const expected = sessionsOf(records, {}, order)
        const walked = await walk(
          (page) => sessions(store, {}, page),
          (page) => page.sessions,
          { limit, order },
        )
        assert.deepEqual(walked, [expected, expected], `${order} pages of ${limit}`)
      }
  },

  'keeps to the conditions on every page': async (store) => {
    const records = tied(60).map((record, index) => ({ ...record, sessionId: `s-${index % 2}` }))
    await send(store, records)
    const query = { sessionId: 's-1', from: dateOf(1), to: dateOf(4) }
    const walked = await walk(
      (page) => events(store, query, page),
      (page) => page.events,
      { limit: 4 },
    )
    assert.deepEqual(walked[0], eventsOf(records, query))
  },

  'gives a page of the most events': async (store) => {
    const records = tied(MAX_PAGE_LIMIT + 1)
    await send(store, records)
    const page = await events(store, {}, { limit: MAX_PAGE_LIMIT })
    assert.deepEqual(page.events, eventsOf(records, {}).slice(0, MAX_PAGE_LIMIT))
    const rest = await events(store, {}, { limit: MAX_PAGE_LIMIT, cursor: page.next! })
    assert.deepEqual(rest.events, eventsOf(records, {}).slice(MAX_PAGE_LIMIT))
    assert.equal(rest.next, null)
  },

  'neither repeats nor leaves out an event when others arrive between pages': async (store) => {
    for (const order of ['descending', 'ascending'] as const) {
      const before = tied(20)
      await send(store, before)
      const arriving = () =>
        send(
          store,
          [0, 1, 2, 3, 4, 5, 6, 9].map((millis) => at(millis)),
        )
      await assertUndisturbed(store, before, order, arriving)
    }
  },

  'neither repeats nor leaves out an event while others are being written': async (store) => {
    const before = tied(40)
    await send(store, before)
    let isOver = false
    // Bounded: a store that reads all for each page would never catch up with a writer that goes on for ever.
    const writing = (async () => {
      for (let batches = 0; batches < 40 && !isOver; batches++) await send(store, tied(5))
    })()
    try {
      await assertUndisturbed(store, before, 'ascending', async () => {})
    } finally {
      isOver = true
      await writing
    }
  },

  'leads back from a page that turned out to be empty': async (store) => {
    const records = tied(4)
    await send(store, records)
    const first = await events(store, {}, { limit: 2 })
    const empty = await events(store, { eventTypes: ['not there'] }, { limit: 2, cursor: first.next! })
    assert.deepEqual([empty.events, empty.next], [[], null])
    const back = await events(store, {}, { limit: 2, cursor: empty.previous! })
    assert.deepEqual(back.events, first.events)
  },
}

const refusing: Record<string, Check> = {
  'refuses a limit that is not an integer from 1 to 1,000, by name': async (store) => {
    for (const limit of [0, -1, 1.5, NaN, Infinity, MAX_PAGE_LIMIT + 1, '5', null]) {
      await refuses(store, {}, { limit }, /^limit is /)
    }
  },

  'refuses a cursor that no answer gave, by name': async (store) => {
    await send(store, [at(1, { sessionId: 'a' }), at(2, { sessionId: 'b' })])
    const wrong = ['', 'x', 'e30', '%00', '__proto__', 'A'.repeat(100_000), 7, null, {}]
    for (const cursor of wrong) await refuses(store, {}, { cursor }, /^cursor is /)
    const ofEvents = (await events(store, {}, { limit: 1 })).next
    const ofSessions = (await sessions(store, {}, { limit: 1 })).next
    await assert.rejects(events(store, {}, { cursor: ofSessions! }), /^InvalidQueryError: cursor is /)
    await assert.rejects(sessions(store, {}, { cursor: ofEvents! }), /^InvalidQueryError: cursor is /)
    await assert.rejects(events(store, {}, { cursor: ofEvents!, order: 'ascending' }), /order is "ascending"/)
  },

  'refuses an order and times that are none, by name': async (store) => {
    await refuses(store, {}, { order: 'random' }, /^order is "random"/)
    for (const time of [new Date(NaN), '2026-01-01', 7, null]) {
      await refuses(store, { from: time }, {}, /^from is /)
      await refuses(store, { to: time }, {}, /^to is /)
    }
  },
}

const START_MICROS = Math.floor(nowMicros() / 1000) * 1000 - 3_600_000_000

/** An event so many milliseconds after the start of the suite, with an id that follows no order. */
function at(millis: number, fields: Partial<EventRecord> = {}): EventRecord {
  const timestampMicros = START_MICROS + millis * 1000
  return sampleRecord({ eventId: crypto.randomUUID(), timestampMicros, ...fields })
}

function dateOf(millis: number): Date {
  return new Date(START_MICROS / 1000 + millis)
}

/** Several events for each of five milliseconds, and within one for each of two microseconds. */
function tied(count: number): EventRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const record = at(index % 5)
    return { ...record, timestampMicros: record.timestampMicros + (index % 2) }
  })
}

async function send(store: ReadableExporter, records: readonly EventRecord[]): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MILLIS / 2)
  await settles(store.export(batchOf(records), { signal }), 'export()')
}

function events(store: EventReader, query: EventQuery, page?: PageRequest): Promise<EventPage> {
  return settles(store.readEvents(query, page), 'readEvents()')
}

function sessions(store: EventReader, query: EventQuery, page?: PageRequest): Promise<SessionPage> {
  return settles(store.readSessions(query, page), 'readSessions()')
}

async function assertAnswers(
  store: ReadableExporter,
  records: readonly EventRecord[],
  query: EventQuery,
): Promise<void> {
  const what = JSON.stringify(query)
  const found = await events(store, query, { limit: MAX_PAGE_LIMIT })
  assert.deepEqual(found.events, eventsOf(records, query), `events of ${what}`)
  const summaries = await sessions(store, query, { limit: MAX_PAGE_LIMIT })
  assert.deepEqual(summaries.sessions, sessionsOf(records, query), `sessions of ${what}`)
}

/** The items of all pages, read to the end and then from the last page back to the first. */
async function walk<P extends { next: string | null; previous: string | null }, T>(
  read: (page: PageRequest) => Promise<P>,
  itemsOf: (page: P) => readonly T[],
  request: { limit: number; order?: PageOrder },
): Promise<[forward: T[], backward: T[]]> {
  let page = await read(request)
  assert.equal(page.previous, null, 'nothing is before the first page')
  const forward = [...itemsOf(page)]
  while (page.next !== null) {
    page = await read({ ...request, cursor: page.next })
    forward.push(...itemsOf(page))
  }
  const backward = [...itemsOf(page)]
  while (page.previous !== null) {
    page = await read({ ...request, cursor: page.previous })
    backward.unshift(...itemsOf(page))
  }
  return [forward, backward]
}

/** Reads to the end and back, while events arrive: each of the given ones is met once on either way. */
async function assertUndisturbed(
  store: ReadableExporter,
  records: readonly EventRecord[],
  order: PageOrder,
  arrive: () => Promise<void>,
): Promise<void> {
  const wanted = new Set(records.map(({ eventId }) => eventId))
  const limit = 7
  let page = await events(store, {}, { limit, order })
  for (const side of ['next', 'previous'] as const) {
    const met = page.events.map(({ eventId }) => eventId)
    let missing = wanted.size - met.filter((id) => wanted.has(id)).length
    // What arrives at the far end is not waited for: a store that is written to has none.
    for (let cursor = page[side]; cursor !== null && missing > 0; cursor = page[side]) {
      await arrive()
      page = await events(store, {}, { limit, order, cursor })
      met.push(...page.events.map(({ eventId }) => eventId))
      missing -= page.events.filter(({ eventId }) => wanted.has(eventId)).length
    }
    assert.equal(new Set(met).size, met.length, `no event is given twice on the way by ${side}`)
    if (side === 'next') assert.equal(missing, 0, 'no event is left out')
  }
}

async function refuses(store: EventReader, query: object, page: object, message: RegExp): Promise<void> {
  const isNamed = (error: unknown) =>
    error instanceof Error && error.name === 'InvalidQueryError' && message.test(error.message)
  const what = `${JSON.stringify(query)} ${JSON.stringify(page).slice(0, 100)} is refused`
  await assert.rejects(settles(store.readEvents(query, page), 'readEvents()'), isNamed, what)
  await assert.rejects(settles(store.readSessions(query, page), 'readSessions()'), isNamed, what)
}
