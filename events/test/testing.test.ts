import { afterEach, describe, expect, it } from 'vitest'
import {
  batchOf,
  type EventBatch,
  type ExportOptions,
  type ExportResult,
  PermanentExportError,
} from '../src/index.ts'
import { exporterConformance, SinkExporter, sampleRecord, sampleRecords } from '../src/testing/index.ts'

const never = new AbortController().signal

describe('SinkExporter', () => {
  let sink = new SinkExporter()

  const harness = {
    create: () => {
      sink = new SinkExporter()
      sink.reject(({ eventType }) => (eventType === 'poison' ? 'this sink takes no poison' : null))
      return sink
    },
    read: async () => sink.records,
    outage: { begin: async () => sink.fail(), end: async () => sink.recover() },
    poison: sampleRecord({ eventType: 'poison' }),
  }
  for (const { name, run } of exporterConformance(harness)) it(name, run)

  it('stores what hung once it recovers', async () => {
    const sink = new SinkExporter()
    sink.hang()
    const pending = sink.export(batchOf(sampleRecords(2)), { signal: never })
    expect(sink.records).toEqual([])
    sink.recover()
    expect(await pending).toEqual({ stored: 2, duplicates: 0, rejected: [] })
    expect(sink.calls.length).toBe(1)
  })

  it('lets go of what hangs when the signal aborts and at shutdown', async () => {
    const sink = new SinkExporter()
    sink.hang()
    const gone = new AbortController()
    const aborted = sink.export(batchOf(sampleRecords(1)), { signal: gone.signal })
    gone.abort(new Error('gone'))
    await expect(aborted).rejects.toThrow('gone')
    const hanging = sink.export(batchOf(sampleRecords(1)), { signal: never })
    await Promise.all([expect(hanging).rejects.toThrow('sink is shut down'), sink.shutdown()])
  })

  it('stores what is slow before it is shut down', async () => {
    const sink = new SinkExporter()
    sink.slow(10)
    const pending = sink.export(batchOf(sampleRecords(1)), { signal: never })
    await sink.shutdown()
    expect(sink.records.length).toBe(1)
    await pending
  })

  it('fails with the error it was given', async () => {
    const sink = new SinkExporter()
    sink.fail(new PermanentExportError('never'))
    await expect(sink.export(batchOf([]), { signal: never })).rejects.toThrow(PermanentExportError)
  })
})

describe('the conformance suite', () => {
  let sink = new SinkExporter()

  afterEach(() => sink.shutdown())

  /** How an exporter fails the case that the expected message names. */
  async function failure(create: () => SinkExporter, expected: RegExp): Promise<string> {
    const cases = exporterConformance({
      create: () => {
        sink = create()
        return sink
      },
      read: async () => sink.records,
      outage: { begin: async () => sink.fail(), end: async () => sink.recover() },
      poison: sampleRecord({ eventType: 'poison' }),
    })
    const { name, run } = cases.find(({ name }) => expected.source.startsWith(`${name}: `))!
    return run().then(
      () => `${name}: passed`,
      (error) => `${name}: ${error}`,
    )
  }

  const broken: [
    what: string,
    export_: (sink: SinkExporter, batch: EventBatch) => Promise<ExportResult>,
    message: RegExp,
  ][] = [
    [
      'acknowledges before it stores',
      async (sink, batch) => {
        setImmediate(() => store(sink, batch))
        return { stored: batch.events.length, duplicates: 0, rejected: [] }
      },
      /has stored every event when export resolves: .*is stored/,
    ],
    [
      'drops the last event',
      async (sink, batch) => {
        await store(sink, batchOf(batch.events.slice(0, -1)))
        return { stored: batch.events.length, duplicates: 0, rejected: [] }
      },
      /has stored every event when export resolves: .*is stored/,
    ],
    [
      'miscounts duplicates',
      async (sink, batch) => {
        await store(sink, batch)
        return { stored: batch.events.length, duplicates: 0, rejected: [] }
      },
      /stores a batch that comes again once, or at least once where it claims no more: /,
    ],
    [
      'stores a repeated event under a new id',
      (sink, batch) =>
        store(sink, batchOf(batch.events.map((event) => ({ ...event, eventId: crypto.randomUUID() })))),
      /stores one batch that comes ten times at once: /,
    ],
    [
      'rounds integers',
      (sink, batch) => {
        const rounded = (data: Uint8Array) =>
          Buffer.from(JSON.stringify(JSON.parse(Buffer.from(data).toString())))
        return store(sink, batchOf(batch.events.map((event) => ({ ...event, data: rounded(event.data) }))))
      },
      /gives every hard value back as it was: .*data of integers beyond 2\^53/,
    ],
    [
      'truncates to milliseconds',
      (sink, batch) => {
        const truncated = (micros: number) => Math.floor(micros / 1000) * 1000
        const events = batch.events.map((event) => ({
          ...event,
          timestampMicros: truncated(event.timestampMicros),
        }))
        return store(sink, batchOf(events))
      },
      /has stored every event when export resolves: .*timestampMicros/,
    ],
    [
      'refuses a batch for one poison event',
      (sink, batch) => {
        if (batch.events.some(({ eventType }) => eventType === 'poison'))
          throw new PermanentExportError('poison')
        return store(sink, batch)
      },
      /rejects a poison event by name and stores the rest of its batch: .*poison/,
    ],
    [
      'calls an outage permanent',
      (sink, batch) =>
        store(sink, batch).catch((error) => Promise.reject(new PermanentExportError(error.message))),
      /refuses batches during an outage as ones to try again, and recovers by itself: .*never succeed/,
    ],
    [
      'writes into the batch',
      (sink, batch) => {
        batch.events[0]?.data.reverse()
        return store(sink, batch)
      },
      /leaves the batch as it was: /,
    ],
  ]

  it('catches an exporter that refuses a caller with little patience', async () => {
    class HastyExporter extends SinkExporter {
      override export(batch: EventBatch, options: ExportOptions): Promise<ExportResult> {
        if (options.patienceMillis === 0) return Promise.reject(new Error('no time'))
        return super.export(batch, options)
      }
    }
    const message = /stores every event for a caller with little patience: .*no time/
    expect(await failure(() => new HastyExporter(), message)).toMatch(message)
  })

  it.each(broken)('catches an exporter that %s', async (_, export_, message) => {
    class BrokenExporter extends SinkExporter {
      override export(batch: EventBatch): Promise<ExportResult> {
        return export_(this, batch)
      }
    }
    expect(await failure(() => new BrokenExporter(), message)).toMatch(message)
  })

  it('catches an exporter that logs a message without fields', async () => {
    const cases = exporterConformance({
      create: ({ logger }) => {
        sink = new SinkExporter()
        Reflect.apply(logger.warn, logger, ['stored'])
        return sink
      },
      read: async () => sink.records,
    })
    await expect(cases[0]!.run()).rejects.toThrow(/fields and a message/)
  })

  it('catches an exporter that stores after shutdown', async () => {
    class BrokenExporter extends SinkExporter {
      override async shutdown(): Promise<void> {}
    }
    const message = /refuses an export after shutdown as one to try again: .*reject/
    expect(await failure(() => new BrokenExporter(), message)).toMatch(message)
  })
})

/** Stores as a good exporter does. */
function store(sink: SinkExporter, batch: EventBatch): Promise<ExportResult> {
  return SinkExporter.prototype.export.call(sink, batch, { signal: never })
}
