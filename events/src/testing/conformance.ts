import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { batchOf, type EventRecord } from '../batch.ts'
import { jsonBytes } from '../codec/json.ts'
import { PermanentExportError } from '../errors.ts'
import type { Exporter, ExporterContext, ExporterLogger, ExportOptions, ExportResult } from '../exporter.ts'
import { assertHolds, assertSame, byId } from './compare.ts'
import { eventually, PATIENCE_MILLIS, settles } from './patience.ts'
import { hardRecords, sampleRecord, sampleRecords } from './samples.ts'

/** What the suite needs to know about an exporter. */
export interface ExporterHarness {
  /** A new exporter over an empty store, not started; it is given the context as `createExporter` is. */
  create(context: ExporterContext): Exporter | Promise<Exporter>
  /**
   * Every event in the store of the exporter created last, read by other means than that exporter, which may
   * be running. `decodeLine` makes a record of a JSON line, `decodeEvent` one of a row parsed with `parseJson`.
   */
  read(): Promise<readonly EventRecord[]>
  /** Takes the store of the exporter created last away and gives it back; without it no test tries. */
  readonly outage?: { begin(): Promise<void>; end(): Promise<void> }
  /** A record that this store refuses whatever happens, if there is such a thing. */
  readonly poison?: EventRecord
  /** Called after each case, when the exporter was shut down: removes what create() made. */
  close?(): Promise<void>
}

/** For any test runner: `for (const { name, run } of exporterConformance(harness)) it(name, run)`. */
export interface ConformanceCase {
  readonly name: string
  run(): Promise<void>
}

type Check = (exporter: Exporter, harness: ExporterHarness) => Promise<void>

/** What every exporter must do; each case runs on a new exporter over an empty store. */
export function exporterConformance(harness: ExporterHarness): ConformanceCase[] {
  const started = { ...storing, ...repeating, ...behaving, ...ending }
  const cases = Object.entries(started).map(([name, check]) => startedCase(name, harness, check))
  if (harness.poison) {
    cases.push(
      startedCase('rejects a poison event by name and stores the rest of its batch', harness, isolatesPoison),
    )
  }
  if (harness.outage) {
    for (const [name, check] of Object.entries(outages)) cases.push(startedCase(name, harness, check))
  }
  cases.push(unstartedCase('shuts down although it was never started, twice', harness))
  return cases
}

function startedCase(name: string, harness: ExporterHarness, check: Check): ConformanceCase {
  const run = async () => {
    const logger = new CheckingLogger()
    const exporter = await harness.create({ logger })
    try {
      await settles(exporter.start(), 'start()')
      await check(exporter, harness)
    } finally {
      await settles(exporter.shutdown(), 'shutdown()')
      await harness.close?.()
    }
    logger.check()
  }
  return { name, run }
}

function unstartedCase(name: string, harness: ExporterHarness): ConformanceCase {
  const run = async () => {
    const exporter = await harness.create({ logger: new CheckingLogger() })
    await settles(exporter.shutdown(), 'shutdown() before start()')
    await settles(exporter.shutdown(), 'the second shutdown()')
    await harness.close?.()
  }
  return { name, run }
}

/** Collects the lines that are unfit for a log; a logger that threw would be taken for a failing store. */
class CheckingLogger implements ExporterLogger {
  readonly #faults: string[] = []

  readonly info = (fields: object, message: string): void => this.#note('info', fields, message)
  readonly warn = (fields: object, message: string): void => this.#note('warn', fields, message)

  check(): void {
    assert.deepEqual(this.#faults, [], 'the exporter logs fields and a message on one line')
  }

  #note(level: string, fields: unknown, message: unknown): void {
    const isFit = typeof fields === 'object' && fields !== null && typeof message === 'string'
    if (!isFit || !message || message.includes('\n')) {
      this.#faults.push(`${level}(${typeof fields}, ${JSON.stringify(message)})`)
    }
  }
}

const storing: Record<string, Check> = {
  'has stored every event when export resolves': async (exporter, harness) => {
    const records = sampleRecords(3)
    const result = await send(exporter, records)
    assertHolds(await harness.read(), records)
    assert.deepEqual(result, { stored: 3, duplicates: 0, rejected: [] })
  },

  'answers an empty batch': async (exporter, harness) => {
    assert.deepEqual(await send(exporter, []), { stored: 0, duplicates: 0, rejected: [] })
    assert.equal((await harness.read()).length, 0)
  },

  'gives every hard value back as it was': async (exporter, harness) => {
    const hard = hardRecords()
    const result = await send(exporter, [...hard.values()])
    assert.deepEqual(result.rejected, [])
    const stored = byId(await harness.read())
    for (const [name, record] of hard) assertSame(stored.get(record.eventId), record, name)
  },

  'stores a batch of 10,000 events': async (exporter, harness) => {
    const records = sampleRecords(10_000)
    const result = await send(exporter, records)
    assert.deepEqual(result, { stored: 10_000, duplicates: 0, rejected: [] })
    assertHolds(await harness.read(), records)
  },

  'stores concurrent batches whole': async (exporter, harness) => {
    const batches = Array.from({ length: 20 }, () => sampleRecords(50))
    await Promise.all(batches.map((records) => send(exporter, records)))
    assertHolds(await harness.read(), batches.flat())
  },

  'leaves the batch as it was': async (exporter) => {
    const batch = batchOf([...hardRecords().values()])
    const before = structuredClone(batch)
    Object.freeze(batch.events)
    for (const record of batch.events) Object.freeze(record)
    await settles(exporter.export(batch, { signal: new AbortController().signal }), 'export()')
    assert.ok(isDeepStrictEqual(structuredClone(batch), before), 'the batch and its bytes never change')
  },
}

const repeating: Record<string, Check> = {
  'stores a batch that comes again once, or at least once where it claims no more': async (
    exporter,
    harness,
  ) => {
    const first = sampleRecords(4)
    await send(exporter, first)
    const again = await send(exporter, first)
    if (exporter.idempotent) assert.deepEqual(again, { stored: 0, duplicates: 4, rejected: [] })
    const fresh = sampleRecords(3)
    const mixed = await send(exporter, [...first, ...fresh])
    if (exporter.idempotent) assert.deepEqual(mixed, { stored: 3, duplicates: 4, rejected: [] })
    assertHolds(await harness.read(), [...first, ...fresh], exporter)
  },

  'stores an event that is twice in one batch': async (exporter, harness) => {
    const [one, two] = [sampleRecord(), sampleRecord()]
    const result = await send(exporter, [one, two, { ...one }])
    if (exporter.idempotent) assert.deepEqual(result, { stored: 2, duplicates: 1, rejected: [] })
    assertHolds(await harness.read(), [one, two], exporter)
  },

  'stores one batch that comes ten times at once': async (exporter, harness) => {
    const records = sampleRecords(100)
    const results = await Promise.all(Array.from({ length: 10 }, () => send(exporter, records)))
    if (exporter.idempotent) {
      const total = (key: 'stored' | 'duplicates') => results.reduce((sum, result) => sum + result[key], 0)
      assert.deepEqual([total('stored'), total('duplicates')], [100, 900])
    }
    assertHolds(await harness.read(), records, exporter)
  },
}

const behaving: Record<string, Check> = {
  'is healthy once it is started': async (exporter) => {
    await settles(exporter.health(), 'health()')
  },

  'settles an export that nobody waits for any more': async (exporter, harness) => {
    const before = AbortSignal.abort(new Error('gone before'))
    await settles(
      exporter.export(batchOf(sampleRecords(5)), { signal: before }).catch(assertRetryable),
      'an aborted export()',
    )
    const during = new AbortController()
    const pending = exporter.export(batchOf(sampleRecords(5)), { signal: during.signal })
    during.abort(new Error('gone during'))
    await settles(pending.catch(assertRetryable), 'an export() aborted under way')
    const after = sampleRecords(5)
    await send(exporter, after)
    const stored = byId(await harness.read())
    for (const record of after) assert.ok(stored.has(record.eventId), 'the exporter stores after an abort')
  },

  'stores every event for a caller with little patience': async (exporter, harness) => {
    const batches = Array.from({ length: 5 }, () => sampleRecords(10))
    await Promise.all(batches.map((records) => send(exporter, records, { patienceMillis: 0 })))
    assertHolds(await harness.read(), batches.flat(), exporter)
  },

  'stores or refuses every batch of a flood, and stores what it refused when it comes again': async (
    exporter,
    harness,
  ) => {
    const data = jsonBytes({ text: 'x'.repeat(2000) })
    const batches = Array.from({ length: 200 }, () => sampleRecords(50, { data }))
    const results = await Promise.allSettled(batches.map((records) => send(exporter, records)))
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') continue
      assertRetryable(result.reason)
      await eventually(() => send(exporter, batches[index]!), 'a refused batch is taken later')
    }
    assertHolds(await harness.read(), batches.flat(), exporter)
  },
}

const ending: Record<string, Check> = {
  'has stored what it accepted when shutdown resolves': async (exporter, harness) => {
    const batches = Array.from({ length: 5 }, () => sampleRecords(20))
    const sent = Promise.all(batches.map((records) => send(exporter, records)))
    sent.catch(() => {}) // Until it is awaited below.
    await settles(exporter.shutdown(), 'shutdown()')
    assertHolds(await harness.read(), batches.flat())
    await sent
  },

  'refuses an export after shutdown as one to try again': async (exporter, harness) => {
    await settles(exporter.shutdown(), 'shutdown()')
    await assert.rejects(send(exporter, sampleRecords(1)), isRetryable)
    assert.equal((await harness.read()).length, 0)
  },
}

const outages: Record<string, Check> = {
  'refuses batches during an outage as ones to try again, and recovers by itself': async (
    exporter,
    harness,
  ) => {
    const [before, during] = [sampleRecords(5), sampleRecords(5)]
    await send(exporter, before)
    await harness.outage!.begin()
    try {
      await assert.rejects(send(exporter, during), isRetryable)
      await assert.rejects(settles(exporter.health(), 'health()'), (error) => error instanceof Error)
    } finally {
      await harness.outage!.end()
    }
    await eventually(() => exporter.health(), 'health() after the outage')
    await eventually(() => send(exporter, during), 'export() after the outage')
    assertHolds(await harness.read(), [...before, ...during], exporter)
  },

  'loses no acknowledged event of a stream that an outage interrupts': async (exporter, harness) => {
    const batches = Array.from({ length: 40 }, () => sampleRecords(10))
    const sent = batches.map(async (records, index) => {
      if (index === 20) await harness.outage!.begin()
      await send(exporter, records).catch(assertRetryable)
    })
    await Promise.all(sent)
    await harness.outage!.end()
    await Promise.all(
      batches.map((records) => eventually(() => send(exporter, records), 'export() after it')),
    )
    assertHolds(await harness.read(), batches.flat(), exporter)
  },

  'settles an export aborted during an outage, and shuts down during one': async (exporter, harness) => {
    await harness.outage!.begin()
    try {
      const gone = new AbortController()
      const pending = exporter.export(batchOf(sampleRecords(5)), { signal: gone.signal })
      gone.abort(new Error('gone'))
      await settles(assert.rejects(pending, isRetryable), 'an aborted export()')
      await settles(exporter.shutdown(), 'shutdown() during an outage')
    } finally {
      await harness.outage!.end()
    }
  },
}

async function isolatesPoison(exporter: Exporter, { read, poison }: ExporterHarness): Promise<void> {
  const [before, after] = [sampleRecords(20), sampleRecords(20)]
  const { rejected, ...counts } = await send(exporter, [...before, poison!, ...after])
  assert.deepEqual(counts, { stored: 40, duplicates: 0 })
  assert.deepEqual(
    rejected.map(({ eventId }) => eventId),
    [poison!.eventId],
  )
  assert.ok(rejected[0]?.reason, 'the rejection says why')
  assertHolds(await read(), [...before, ...after])
}

/** Exports the records, and checks what holds for every result. */
async function send(
  exporter: Exporter,
  records: readonly EventRecord[],
  options: Omit<ExportOptions, 'signal'> = {},
): Promise<ExportResult> {
  const signal = AbortSignal.timeout(PATIENCE_MILLIS / 2)
  const result = await settles(exporter.export(batchOf(records), { ...options, signal }), 'export()')
  assert.equal(
    result.stored + result.duplicates + result.rejected.length,
    records.length,
    'stored + duplicates + rejected is the number of events',
  )
  return result
}

function isRetryable(error: unknown): boolean {
  assertRetryable(error)
  return true
}

function assertRetryable(error: unknown): void {
  assert.ok(error instanceof Error, `rejects with an Error, not ${error}`)
  assert.ok(!(error instanceof assert.AssertionError), error)
  assert.ok(
    !(error instanceof PermanentExportError),
    `"${error.message}" says that a retry can never succeed`,
  )
}
