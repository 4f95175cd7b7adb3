import { batchOf, type Exporter, PermanentExportError } from '@agentic-hooks/events'
import { SinkExporter, sampleRecords } from '@agentic-hooks/events/testing'
import pino from 'pino'
import { describe, expect, it, vi } from 'vitest'
import { ClientGoneError, UnavailableError } from '../src/errors.ts'
import { Admission } from '../src/ingest/admission.ts'
import { Pipeline } from '../src/ingest/pipeline.ts'
import { Metrics } from '../src/metrics.ts'

function setUp(
  exporters: readonly Exporter[],
  options: { retryMillis?: number; timeoutMillis?: number } = {},
) {
  const admission = new Admission(1_000_000)
  const lines: Record<string, unknown>[] = []
  const pipeline = new Pipeline({
    exporters,
    admission,
    metrics: new Metrics(admission, exporters),
    log: pino({}, { write: (line) => void lines.push(JSON.parse(line)) }),
    exportRetryMillis: options.retryMillis ?? 10_000,
    exportTimeoutMillis: options.timeoutMillis ?? 20_000,
  })
  const batch = batchOf(sampleRecords(3))
  const ticket = admission.enter()
  ticket.arrived(batch.byteLength)
  return { admission, pipeline, batch, ticket, lines }
}

describe('Pipeline', () => {
  it('resolves once every exporter has the batch, not before', async () => {
    const [fast, slow] = [new SinkExporter('fast'), new SinkExporter('slow')]
    const { pipeline, batch, ticket } = setUp([fast, slow])
    slow.hang()
    let resolved = false
    const stored = pipeline.store(batch, ticket).then((result) => {
      resolved = true
      return result
    })
    await vi.waitFor(() => expect(fast.records).toHaveLength(3))
    expect(resolved).toBe(false)
    slow.recover()
    expect(await stored).toEqual({ stored: 3, duplicates: 0, rejected: [] })
  })

  it('stores a large batch in parts, whose results it adds up', async () => {
    const [first, second] = [new SinkExporter('first'), new SinkExporter('second')]
    const { admission, pipeline } = setUp([first, second])
    const large = batchOf(sampleRecords(12_000))
    const refused = large.events[11_000]!.eventId
    first.reject(({ eventId }) => (eventId === refused ? 'too strange' : null))
    expect(await pipeline.store(large, admission.enter())).toEqual({
      stored: 11_999,
      duplicates: 0,
      rejected: [{ eventId: refused, reason: 'too strange' }],
    })
    expect(first.calls.length).toBeGreaterThan(2)
    expect(second.records).toHaveLength(12_000)
  })

  it('tries a failing exporter again, and only that one', async () => {
    const [well, ill] = [new SinkExporter('well'), new SinkExporter('ill')]
    const { pipeline, batch, ticket } = setUp([well, ill])
    ill.fail()
    const stored = pipeline.store(batch, ticket)
    await vi.waitFor(() => expect(ill.calls.length).toBeGreaterThan(1))
    ill.recover()
    expect((await stored).stored).toBe(3)
    expect(well.calls).toHaveLength(1)
  })

  it('says in the log when an exporter begins to fail and when it works again, not every time', async () => {
    const sink = new SinkExporter()
    const { pipeline, batch, ticket, lines } = setUp([sink])
    sink.fail()
    const stored = pipeline.store(batch, ticket)
    await vi.waitFor(() => expect(sink.calls.length).toBeGreaterThan(2))
    sink.recover()
    await stored
    expect(lines.map(({ msg }) => msg)).toEqual(['exporter fails', 'exporter works again'])
  })

  it('gives a request up with 503 when retrying does not help', async () => {
    const sink = new SinkExporter()
    const { admission, pipeline, batch, ticket } = setUp([sink], { retryMillis: 200 })
    sink.fail()
    await expect(pipeline.store(batch, ticket)).rejects.toThrow(UnavailableError)
    expect(sink.calls.length).toBeGreaterThan(1)
    expect(admission.bytesInFlight).toBe(0)
  })

  it('does not retry once the receiver is stopping', async () => {
    const sink = new SinkExporter()
    const { pipeline, batch, ticket } = setUp([sink])
    sink.fail()
    pipeline.stopRetrying()
    await expect(pipeline.store(batch, ticket)).rejects.toThrow(UnavailableError)
    expect(sink.calls).toHaveLength(1)
  })

  it('gives up on an exporter that hangs, whose batch still counts until it lets go', async () => {
    const deaf = new SinkExporter('deaf')
    const release = Promise.withResolvers<void>()
    deaf.export = async () => {
      await release.promise
      return { stored: 3, duplicates: 0, rejected: [] }
    }
    const { admission, pipeline, batch, ticket, lines } = setUp([deaf], { timeoutMillis: 50 })
    await expect(pipeline.store(batch, ticket)).rejects.toThrow('deaf did not answer in 50 ms')
    expect(ticket.signal.aborted).toBe(true)
    expect(lines).toMatchObject([{ msg: 'exporter fails', exporter: 'deaf' }])
    expect(admission.bytesInFlight).toBe(batch.byteLength)
    release.resolve()
    await vi.waitFor(() => expect(admission.bytesInFlight).toBe(0))
  })

  it('stops when the client has left', async () => {
    const sink = new SinkExporter()
    const { admission, pipeline, batch, ticket } = setUp([sink])
    sink.fail()
    const stored = pipeline.store(batch, ticket)
    await vi.waitFor(() => expect(sink.calls.length).toBeGreaterThan(1))
    ticket.abort(new ClientGoneError())
    await expect(stored).rejects.toThrow(ClientGoneError)
    await vi.waitFor(() => expect(admission.bytesInFlight).toBe(0))
  })

  it('reports every record of a batch that can never be stored as rejected', async () => {
    const sink = new SinkExporter()
    const { pipeline, batch, ticket } = setUp([sink])
    sink.fail(new PermanentExportError('too strange'))
    expect(await pipeline.store(batch, ticket)).toEqual({
      stored: 0,
      duplicates: 0,
      rejected: batch.events.map(({ eventId }) => ({ eventId, reason: 'too strange' })),
    })
    expect(sink.calls).toHaveLength(1)
  })

  it("knows a permanent error of an exporter that brings its own copy of the error's class", async () => {
    const sink = new SinkExporter()
    const { pipeline, batch, ticket } = setUp([sink])
    sink.fail(Object.assign(new Error('too strange'), { name: 'PermanentExportError' }))
    expect((await pipeline.store(batch, ticket)).rejected).toHaveLength(3)
  })

  it('counts a record as rejected when any exporter rejects it, once', async () => {
    const sinks = [new SinkExporter('a'), new SinkExporter('b'), new SinkExporter('c')]
    const { pipeline, batch, ticket } = setUp(sinks)
    const [first, second] = batch.events
    sinks[0]!.reject((record) => (record.eventId === first!.eventId ? 'not in a' : null))
    sinks[1]!.reject((record) => (record.eventId === first!.eventId ? 'not in b' : null))
    sinks[2]!.reject((record) => (record.eventId === second!.eventId ? 'not in c' : null))
    const result = await pipeline.store(batch, ticket)
    expect(result).toMatchObject({ stored: 1, duplicates: 0 })
    expect(result.rejected.map(({ eventId }) => eventId).sort()).toEqual(
      [first!.eventId, second!.eventId].sort(),
    )
  })

  it('counts events that were there before as duplicates', async () => {
    const sink = new SinkExporter()
    const { admission, pipeline, batch, ticket } = setUp([sink])
    await pipeline.store(batch, ticket)
    expect(await pipeline.store(batch, admission.enter())).toEqual({ stored: 0, duplicates: 3, rejected: [] })
  })
})
