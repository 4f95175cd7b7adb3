import { fork } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  batchOf,
  decodeLine,
  type EventBatch,
  type EventRecord,
  type ExportOptions,
  type ExportResult,
  PermanentExportError,
  toHookEvent,
} from '@agentic-hooks/events'
import { hardRecords, SinkExporter, sampleRecord, sampleRecords } from '@agentic-hooks/events/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { decodeFrames } from '../src/storage/spool/frames.ts'
import { Spool, type SpoolOptions } from '../src/storage/spool/spool.ts'
import { SmallDisk } from './small-disk.ts'

const never = new AbortController().signal
let directory = ''
let warnings: string[] = []
let sink = new SinkExporter()
const spools: Spool[] = []
const logger = {
  info: (_: object, message: string) => void warnings.push(message),
  warn: (_: object, message: string) => void warnings.push(message),
}

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'spool-')), 'sink')
  warnings = []
  sink = new SinkExporter()
})

afterEach(async () => {
  await Promise.all(spools.splice(0).map((spool) => spool.shutdown()))
  rmSync(join(directory, '..'), { recursive: true, force: true })
})

function newSpool(options: Partial<SpoolOptions> = {}, exporter: SinkExporter = sink): Spool {
  const spool = new Spool(exporter, { directory, logger, maxRetryMillis: 20, ...options })
  spools.push(spool)
  return spool
}

async function started(options: Partial<SpoolOptions> = {}, exporter: SinkExporter = sink): Promise<Spool> {
  const spool = newSpool(options, exporter)
  await spool.start()
  return spool
}

const send = (spool: Spool, ...records: EventRecord[]) => spool.export(batchOf(records), { signal: never })
const ids = (records: readonly EventRecord[]) => records.map(({ eventId }) => eventId)
const segments = () => readdirSync(directory).filter((name) => name.endsWith('.spool'))
const drained = (spool: Spool) => vi.waitFor(() => expect(spool.status.events).toBe(0), { timeout: 10_000 })

function spooledRecords(): EventRecord[] {
  return segments().flatMap((name) =>
    decodeFrames(readFileSync(join(directory, name))).batches.flatMap(({ events }) => events),
  )
}

describe('while the exporter is well', () => {
  it('passes batches and results through and writes nothing', async () => {
    const spool = await started()
    const records = sampleRecords(3)
    sink.reject(({ eventId }) => (eventId === records[0]!.eventId ? 'bad' : null))
    expect(await send(spool, ...records)).toEqual({
      stored: 2,
      duplicates: 0,
      rejected: [{ eventId: records[0]!.eventId, reason: 'bad' }],
    })
    expect(sink.started).toBe(true)
    expect(segments()).toEqual([])
    expect(spool.status).toMatchObject({ events: 0, bytes: 0, oldestAgeMillis: 0, isSpooling: false })
  })

  it('has the name and the promise of the exporter', () => {
    const spool = newSpool({}, new SinkExporter('postgres'))
    expect([spool.name, spool.idempotent]).toEqual(['postgres', true])
  })

  it('passes permanent errors through', async () => {
    const spool = await started()
    sink.fail(new PermanentExportError('never'))
    await expect(send(spool, sampleRecord())).rejects.toThrow(PermanentExportError)
    expect(segments()).toEqual([])
  })

  it('does not spool what nobody waits for any more', async () => {
    const spool = await started()
    sink.hang()
    const gone = new AbortController()
    const exported = spool.export(batchOf(sampleRecords(1)), { signal: gone.signal })
    gone.abort(new Error('gone'))
    await expect(exported).rejects.toThrow('gone')
    expect(segments()).toEqual([])
    expect(spool.status.isSpooling).toBe(false)
  })
})

describe('while the exporter is down', () => {
  it('acknowledges batches once they are on disk, and drains them in order of arrival', async () => {
    const spool = await started()
    sink.fail()
    const batches = Array.from({ length: 10 }, () => sampleRecords(5))
    for (const records of batches) {
      expect(await send(spool, ...records)).toEqual({ stored: 5, duplicates: 0, rejected: [] })
    }
    expect(spool.status).toMatchObject({ events: 50, isSpooling: true })
    expect(ids(spooledRecords())).toEqual(ids(batches.flat()))
    expect(statSync(join(directory, segments()[0]!)).mode & 0o777).toBe(0o600)
    sink.recover()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(batches.flat()))
    expect(segments()).toEqual([])
    expect(spool.status).toMatchObject({ bytes: 0, oldestAgeMillis: 0, isSpooling: false })
    expect(warnings).toEqual([
      'exporter is down; its batches are spooled',
      'exporter is back; the spool drains',
    ])
  })

  it('keeps the whole batch: every field, every hard value, the time of receipt', async () => {
    const spool = await started()
    sink.fail()
    const batch = batchOf([...hardRecords().values()], 1_795_361_760_000_007)
    await spool.export(batch, { signal: never })
    sink.recover()
    await drained(spool)
    const { events, receivedAtMicros, byteLength } = sink.calls.at(-1)!
    expect({ receivedAtMicros, byteLength }).toEqual({
      receivedAtMicros: 1_795_361_760_000_007,
      byteLength: batch.byteLength,
    })
    for (const [index, event] of events.entries()) {
      const { data, ...rest } = batch.events[index]!
      expect({ ...event, data: Buffer.from(event.data).equals(data) }).toEqual({ ...rest, data: true })
    }
  })

  it('is not tried again for each batch', async () => {
    const spool = await started()
    sink.fail()
    const [first, second] = [batchOf(sampleRecords(1)), batchOf(sampleRecords(1))]
    await spool.export(first, { signal: never })
    await spool.export(second, { signal: never })
    // What drains is another object, read from disk.
    expect(sink.calls.includes(first)).toBe(true)
    expect(sink.calls.includes(second)).toBe(false)
  })

  it('is healthy as long as the disk takes batches', async () => {
    const spool = await started({ maxBytes: 8192 })
    sink.fail()
    await send(spool, sampleRecord())
    await spool.health()
    await send(spool, sampleRecord())
    await expect(spool.health()).rejects.toThrow(/the spool .*sink is full: 8192 bytes, maxBytes is 8192/)
  })

  it('refuses batches when it is full, as ones to try again, and takes them when there is room', async () => {
    const spool = await started({ maxBytes: 4096 })
    sink.fail()
    await send(spool, sampleRecord())
    const refused = sampleRecord()
    await expect(send(spool, refused)).rejects.toThrow('is full')
    await expect(send(spool, refused)).rejects.not.toThrow(PermanentExportError)
    sink.recover()
    await drained(spool)
    await send(spool, refused)
    expect(sink.records).toHaveLength(2)
  })

  it('starts without it, and uses it once it starts', async () => {
    const start = vi.spyOn(sink, 'start').mockRejectedValue(new Error('no server'))
    const spool = await started({ slowMillis: 50 })
    await send(spool, sampleRecord())
    expect(sink.calls).toEqual([])
    await spool.health()
    start.mockResolvedValue()
    await drained(spool)
    await send(spool, sampleRecord())
    expect(sink.records).toHaveLength(2)
  })

  it('passes live batches on while the backlog drains slowly', async () => {
    const spool = await started({ drainBytesPerSecond: 1 })
    sink.fail()
    await send(spool, sampleRecord())
    sink.recover()
    await vi.waitFor(() => expect(spool.status.isSpooling).toBe(false))
    // The spool now waits for hours until it may go on.
    await spool.accept(batchOf(sampleRecords(1)))
    const live = sampleRecord()
    await send(spool, live)
    expect(ids(sink.records)).toContain(live.eventId)
    expect(spool.status).toMatchObject({ events: 1, isSpooling: false })
    await spool.shutdown()
  })
})

describe('an exporter that is slow', () => {
  it('has its batch on disk after slowMillis, and gets it once when the export succeeds late', async () => {
    const spool = await started({ slowMillis: 20 })
    sink.hang()
    const record = sampleRecord()
    expect(await send(spool, record)).toEqual({ stored: 1, duplicates: 0, rejected: [] })
    expect(ids(spooledRecords())).toEqual([record.eventId])
    sink.recover()
    await drained(spool)
    expect(ids(sink.records)).toEqual([record.eventId])
    expect(sink.calls).toHaveLength(1)
  })

  it('gets the batch from disk when the late export fails', async () => {
    const spool = await started({ slowMillis: 20 })
    sink.hang()
    await send(spool, sampleRecord())
    sink.fail()
    sink.recover()
    await drained(spool)
    expect(sink.records).toHaveLength(1)
  })

  it('still answers when the spool is full', async () => {
    const spool = await started({ slowMillis: 20, maxBytes: 1 })
    await spool.accept(batchOf(sampleRecords(1)))
    sink.hang()
    const exported = send(spool, sampleRecord())
    await vi.waitFor(() => expect(sink.calls.length).toBeGreaterThan(0))
    sink.recover()
    expect(await exported).toEqual({ stored: 1, duplicates: 0, rejected: [] })
  })

  it('is not called down for the impatience of one agent', async () => {
    const spool = await started({ slowMillis: 60_000 })
    sink.hang()
    expect(
      await spool.export(batchOf(sampleRecords(1)), { signal: never, patienceMillis: 10 }),
    ).toMatchObject({ stored: 1 })
    expect(spool.status).toMatchObject({ events: 1, isSpooling: false })
    sink.recover()
    await drained(spool)
    expect(sink.calls).toHaveLength(1)
  })
})

describe('accept', () => {
  it('puts a batch straight to disk, from where it drains', async () => {
    const spool = await started()
    sink.hang()
    const record = sampleRecord()
    expect(await spool.accept(batchOf([record]))).toEqual({ stored: 1, duplicates: 0, rejected: [] })
    expect(ids(spooledRecords())).toEqual([record.eventId])
    sink.recover()
    await drained(spool)
    expect(ids(sink.records)).toEqual([record.eventId])
  })
})

describe('batches that the exporter will not have', () => {
  const rejectedFile = () => join(directory, 'rejected.jsonl')
  const rejectedEvents = () =>
    readFileSync(rejectedFile(), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => toHookEvent(decodeLine(line)))

  it('keeps rejected events with the reason where import can read them', async () => {
    const spool = await started()
    const [good, bad] = [sampleRecord(), sampleRecord({ attributes: Buffer.from('{"a":1}') })]
    sink.fail()
    await send(spool, good, bad)
    sink.recover()
    sink.reject(({ eventId }) => (eventId === bad.eventId ? 'too strange' : null))
    await drained(spool)
    expect(ids(sink.records)).toEqual([good.eventId])
    expect(rejectedEvents()).toEqual([
      { ...toHookEvent(bad), attributes: { a: 1, 'agentic_hooks.rejected_reason': 'too strange' } },
    ])
    expect(spool.status.rejectedEvents).toBe(1)
    expect(spool.status.bytes).toBeGreaterThan(0)
    expect(warnings).toContain('spooled events were rejected')
  })

  it('keeps a batch that can never succeed', async () => {
    const spool = await started()
    sink.fail()
    await send(spool, sampleRecord())
    sink.fail(new PermanentExportError('never'))
    await drained(spool)
    expect(rejectedEvents()[0]!.attributes).toEqual({ 'agentic_hooks.rejected_reason': 'never' })
  })

  it('are kept as long as they fail in another way, hold up no others, and are stored when they no longer fail', async () => {
    const poison = sampleRecord({ eventType: 'poison' })
    let isPoisoned = true
    let attempts = 0
    class PoisonedSink extends SinkExporter {
      override async export(batch: EventBatch, options: ExportOptions): Promise<ExportResult> {
        if (isPoisoned && batch.events.some(({ eventType }) => eventType === 'poison')) {
          attempts++
          throw new Error('fails each time')
        }
        return super.export(batch, options)
      }
    }
    const poisoned = new PoisonedSink()
    const spool = await started({}, poisoned)
    poisoned.fail()
    const others = sampleRecords(2)
    // Larger than what is exported at once, so that nothing else is in its round.
    const large = { ...poison, data: Buffer.from(JSON.stringify({ text: 'x'.repeat(2 ** 21) })) }
    await send(spool, large)
    for (const other of others) await send(spool, other)
    poisoned.recover()
    await vi.waitFor(() => expect(ids(poisoned.records)).toEqual(ids(others)), { timeout: 10_000 })
    await vi.waitFor(() => expect(attempts).toBeGreaterThan(3), { timeout: 10_000 })
    expect(spool.status).toMatchObject({ events: 1, stuckFiles: 1, rejectedEvents: 0 })
    expect(existsSync(rejectedFile())).toBe(false)
    expect(warnings).toContain('a spooled file is stuck: it is kept, tried again, and holds up no other')
    isPoisoned = false
    await drained(spool)
    expect(ids(poisoned.records)).toContain(poison.eventId)
    await vi.waitFor(() => expect(spool.status.stuckFiles).toBe(0))
  })

  it('sets nothing aside while the exporter is down, however long', async () => {
    const spool = await started()
    sink.fail()
    await send(spool, sampleRecord())
    await vi.waitFor(() => expect(sink.calls.length).toBeGreaterThan(5))
    sink.recover()
    await drained(spool)
    expect(sink.records).toHaveLength(1)
    expect(existsSync(rejectedFile())).toBe(false)
  })
})

describe('after a restart', () => {
  it('drains what was left', async () => {
    const down = new SinkExporter()
    down.fail()
    const first = await started({}, down)
    const records = sampleRecords(3)
    for (const record of records) await send(first, record)
    await first.shutdown()
    expect(segments()).toHaveLength(3)
    const second = await started()
    await drained(second)
    expect(ids(sink.records)).toEqual(ids(records))
  })

  it('drains what can be read of a file that is damaged, and keeps the file', async () => {
    const down = new SinkExporter()
    down.fail()
    const first = await started({}, down)
    const records = sampleRecords(2)
    await Promise.all([
      first.accept(batchOf([sampleRecord()])),
      ...records.map((one) => first.accept(batchOf([one]))),
    ])
    await first.shutdown()
    const names = segments()
    const second = join(directory, names[1]!)
    truncateSync(second, statSync(second).size - 1)
    const spool = await started()
    await drained(spool)
    expect(ids(sink.records)).toContain(records[0]!.eventId)
    expect(ids(sink.records)).not.toContain(records[1]!.eventId)
    expect(readdirSync(directory)).toContain(`${names[1]}.damaged`)
    expect(spool.status.damagedFiles).toBe(1)
    expect(warnings).toContain('a spooled file is damaged; what could be read of it is stored')
  })

  it('goes on when somebody has deleted a file', async () => {
    const start = vi.spyOn(sink, 'start').mockRejectedValue(new Error('no server'))
    const spool = await started({ slowMillis: 10 })
    const records = sampleRecords(2)
    for (const record of records) await send(spool, record)
    rmSync(join(directory, segments()[0]!))
    start.mockResolvedValue()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(records.slice(1)))
  })

  it('refuses a directory that another process spools in', async () => {
    await started()
    await expect(newSpool().start()).rejects.toThrow(/sink.lock is held by process/)
  })

  it('drains on a disk that it has filled, where the killed process has left its lock', async () => {
    const disk = new SmallDisk(dirname(directory))
    const lock = `${directory}.lock`
    const down = new SinkExporter()
    down.fail()
    const first = await started({ fileSystem: disk }, down)
    const record = sampleRecord()
    await send(first, record)
    const killed = { ...JSON.parse(readFileSync(lock, 'utf8')), bootId: 'before' }
    await first.shutdown()
    writeFileSync(lock, JSON.stringify(killed))
    await disk.useUp()
    const second = await started({ fileSystem: disk })
    await drained(second)
    expect(ids(sink.records)).toEqual([record.eventId])
  })

  it('leaves no lock behind when even that finds no room', async () => {
    const disk = new SmallDisk(dirname(directory))
    mkdirSync(directory)
    await disk.useUp()
    const spool = newSpool({ fileSystem: disk })
    await expect(spool.start()).rejects.toThrow('ENOSPC')
    expect(existsSync(`${directory}.lock`)).toBe(false)
    disk.blocks = Number.POSITIVE_INFINITY
    await spool.start()
    await send(spool, sampleRecord())
    expect(sink.records).toHaveLength(1)
  })

  it('has every event that a process acknowledged before it was killed', async () => {
    const acknowledged = new Set<string>()
    for (let round = 0; round < 2; round++) {
      const child = fork(join(import.meta.dirname, 'spool-child.ts'), [directory], {
        execArgv: ['-C', '@agentic-hooks/source'],
      })
      let messages = 0
      child.on('message', (eventIds: string[]) => {
        messages++
        for (const eventId of eventIds) acknowledged.add(eventId)
      })
      await vi.waitFor(() => expect(messages).toBeGreaterThan(50), { timeout: 20_000 })
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const spool = await started()
    await drained(spool)
    const stored = new Set(ids(sink.records))
    expect(acknowledged.size).toBeGreaterThan(1000)
    expect([...acknowledged].filter((eventId) => !stored.has(eventId))).toEqual([])
    expect(segments()).toEqual([])
  })
})
