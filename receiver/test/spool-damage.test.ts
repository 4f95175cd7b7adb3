import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  type PathLike,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import type { OpenFile } from '@agentic-hooks/durable-files'
import { FaultyFileSystem, noSpace } from '@agentic-hooks/durable-files/testing'
import {
  batchOf,
  decodeLine,
  type EventRecord,
  encodeLines,
  PermanentExportError,
} from '@agentic-hooks/events'
import { SinkExporter, sampleRecord, sampleRecords } from '@agentic-hooks/events/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { decodeFrames, encodeFrame } from '../src/storage/spool/frames.ts'
import { Spool, type SpoolOptions } from '../src/storage/spool/spool.ts'

const never = new AbortController().signal
let directory = ''
let warnings: { fields: Record<string, unknown>; message: string }[] = []
let sink = new SinkExporter()
const spools: Spool[] = []
const logger = {
  info() {},
  warn: (fields: object, message: string) => void warnings.push({ fields: { ...fields }, message }),
}

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'spool-damage-')), 'sink')
  warnings = []
  sink = new SinkExporter()
})

afterEach(async () => {
  await Promise.all(spools.splice(0).map((spool) => spool.shutdown()))
  rmSync(join(directory, '..'), { recursive: true, force: true })
})

async function started(options: Partial<SpoolOptions> = {}, exporter = sink): Promise<Spool> {
  const spool = new Spool(exporter, { directory, logger, maxRetryMillis: 20, ...options })
  spools.push(spool)
  await spool.start()
  return spool
}

const ids = (records: readonly EventRecord[]) => records.map(({ eventId }) => eventId).sort()
const segments = () =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.spool'))
    .sort()
const pathOf = (name: string) => join(directory, name)
const drained = (spool: Spool) => vi.waitFor(() => expect(spool.status.events).toBe(0), { timeout: 10_000 })

/** Files of so many frames each, one event a frame, as a process leaves them that ends while the exporter is down. */
async function spooled(...framesOfFiles: readonly number[]): Promise<EventRecord[][]> {
  const down = new SinkExporter()
  down.fail()
  const spool = await started({}, down)
  const files: EventRecord[][] = []
  for (const frames of framesOfFiles) {
    // The first goes alone, what gathers while it is written goes together.
    const alone = sampleRecord()
    const first = spool.accept(batchOf([alone]))
    const records = sampleRecords(frames)
    await Promise.all([first, ...records.map((record) => spool.accept(batchOf([record])))])
    files.push([alone], records)
  }
  await spool.shutdown()
  expect(segments()).toHaveLength(2 * framesOfFiles.length)
  return files
}

describe('a frame', () => {
  const marker = randomBytes(16)
  const batches = Array.from({ length: 3 }, () => batchOf(sampleRecords(2)))
  const frames = batches.map((batch) => encodeFrame(batch, marker))
  const file = Buffer.concat(frames)
  const eventIds = batches.map(({ events }) => ids(events))

  it.each([
    ['with the marker in the name of its file', marker],
    ['without', undefined],
    ['with the marker of another', randomBytes(16)],
  ])('is the only one that a flipped bit costs, wherever it is, %s', (_, named) => {
    for (let position = 0; position < file.byteLength; position++) {
      const damaged = Buffer.from(file)
      damaged[position]! ^= 1 << (position % 8)
      const found = decodeFrames(damaged, named).batches.map(({ events }) => ids(events))
      const hit = frames.findIndex(
        (_, index) => position < Buffer.concat(frames.slice(0, index + 1)).byteLength,
      )
      // Without the name nobody knows the marker where it is the first one that is damaged, and the length with it.
      expect(found).toEqual(eventIds.filter((_, index) => index !== hit))
    }
  })

  it('is the only one that a cut costs, and those behind it', () => {
    for (let length = 0; length <= file.byteLength; length += 7) {
      const found = decodeFrames(file.subarray(0, length), marker)
      const whole = [1, 2, 3].filter(
        (count) => Buffer.concat(frames.slice(0, count)).byteLength <= length,
      ).length
      expect(found.batches).toHaveLength(whole)
      expect(found.events).toBe(2 * whole)
    }
  })

  it('that a sender has put into its event is never taken for one', () => {
    const forged = encodeFrame(batchOf([sampleRecord({ sessionId: 'forged' })]), randomBytes(16))
    const event = sampleRecord({ sessionId: forged.toString('latin1') })
    const bytes = encodeFrame(batchOf([event]), marker)
    bytes[bytes.byteLength - 1]! ^= 1
    expect(decodeFrames(Buffer.concat([bytes, frames[0]!]), marker).batches).toHaveLength(1)
  })

  it('is looked for in time linear in the bytes', () => {
    const millis = (copies: number) => {
      const bytes = Buffer.concat(Array(copies).fill(Buffer.concat([marker, Buffer.alloc(12, 0xff)])))
      const startedAt = performance.now()
      expect(decodeFrames(bytes, marker).batches).toEqual([])
      return performance.now() - startedAt
    }
    expect(millis(2 ** 17)).toBeLessThan(5_000)
  })
})

describe('a file that was damaged while the receiver was off', () => {
  it('and cut where a frame ends stores the rest, and says how many acknowledged events are lost', async () => {
    const [alone, records] = await spooled(5)
    const [, second] = segments()
    const bytes = readFileSync(pathOf(second!))
    truncateSync(pathOf(second!), 12 + bytes.readUInt32LE(0))
    const spool = await started()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids([...alone!, records![0]!]))
    expect(spool.status.lostEvents).toBe(4)
    expect(warnings).toContainEqual({
      fields: { path: pathOf(second!), missingEvents: 4, expectedEvents: 5 },
      message: 'acknowledged events are lost: a spooled file was cut or deleted; the rest of it is stored',
    })
  })

  it('and emptied counts as lost', async () => {
    await spooled(5)
    truncateSync(pathOf(segments()[1]!), 0)
    const spool = await started()
    await drained(spool)
    expect(spool.status).toMatchObject({ lostEvents: 5, damagedFiles: 0 })
  })

  it('by a flipped bit loses only the frame of that bit, is kept, and can be restored', async () => {
    const [alone, records] = await spooled(5)
    const path = pathOf(segments()[1]!)
    const bytes = readFileSync(path)
    const whole = Buffer.from(bytes)
    bytes[200]! ^= 4
    writeFileSync(path, bytes)
    const spool = await started()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids([...alone!, ...records!.slice(1)]))
    expect(spool.status).toMatchObject({ lostEvents: 1, damagedFiles: 1 })
    expect(spool.status.setAsideBytes).toBeGreaterThan(0)
    // As somebody does who has a copy, or a good disk again.
    writeFileSync(`${path}.damaged`, whole)
    expect(await spool.restore()).toMatchObject({ files: 1 })
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids([...alone!, ...records!]))
    await vi.waitFor(() => expect(spool.status).toMatchObject({ bytes: 0, setAsideBytes: 0 }))
    expect(readdirSync(directory)).toEqual([])
  })

  it('by zeros at its end loses nothing', async () => {
    const files = await spooled(5)
    appendFileSync(pathOf(segments()[1]!), Buffer.alloc(5_000))
    const spool = await started()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(files.flat()))
    expect(spool.status).toMatchObject({ lostEvents: 0, damagedFiles: 0 })
  })

  it('or has the name of another one is read to its end', async () => {
    const files = await spooled(5)
    const [one, other] = segments().map(pathOf)
    renameSync(one!, `${one}.t`)
    renameSync(other!, one!)
    renameSync(`${one}.t`, other!)
    const spool = await started()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(files.flat()))
  })

  it('and has the greatest number there is does not end the numbering', async () => {
    const files = await spooled(1)
    renameSync(pathOf(segments()[1]!), pathOf('999999999999-1.spool'))
    sink.fail()
    const spool = await started()
    const further = sampleRecord()
    await spool.accept(batchOf([further]))
    await spool.shutdown()
    sink = new SinkExporter()
    await drained(await started())
    expect(ids(sink.records)).toEqual(ids([...files.flat(), further]))
  })
})

/** As the version before markers wrote it. */
function oldFrame(value: unknown, events: number): Buffer {
  const body = v8.serialize(value)
  const header = Buffer.alloc(12)
  header.writeUInt32LE(body.byteLength, 0)
  header.writeUInt32LE(crc32(body), 4)
  header.writeUInt32LE(events, 8)
  return Buffer.concat([header, body])
}

describe('what lies in the folder', () => {
  it('from the version before is stored, all intact frames of it, also from a file that it set aside', async () => {
    mkdirSync(directory)
    const records = sampleRecords(5)
    const frames = records.map((record) => oldFrame(batchOf([record]), 1))
    const flipped = Buffer.from(frames[1]!)
    flipped[100]! ^= 1
    writeFileSync(pathOf('000000000007-2.spool'), Buffer.concat(frames.slice(0, 2)))
    writeFileSync(pathOf('000000000008-3.spool.damaged'), Buffer.concat([flipped, ...frames.slice(2, 4)]))
    const spool = await started()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(records.slice(0, 2)))
    expect(await spool.restore()).toMatchObject({ files: 1 })
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(records.slice(0, 4)))
  })

  it('from another version stops nothing: what was not known then is empty, what is no batch is set aside', async () => {
    mkdirSync(directory)
    const { eventId, eventType, sessionId, timestampMicros } = sampleRecord()
    const sparse = {
      receivedAtMicros: 1,
      byteLength: 10,
      events: [{ eventId, eventType, sessionId, timestampMicros }],
    }
    writeFileSync(pathOf('000000000001-1.spool'), oldFrame(sparse, 1))
    writeFileSync(pathOf('000000000002-3.spool'), oldFrame({ version: 2, records: [1, 2, 3] }, 3))
    const spool = await started()
    const live = sampleRecord()
    await spool.accept(batchOf([live]))
    await drained(spool)
    expect(ids(sink.records)).toEqual([eventId, live.eventId].sort())
    expect(Buffer.from(sink.records.find((record) => record.eventId === eventId)!.data).toString()).toBe('{}')
    expect(spool.status).toMatchObject({ lostEvents: 3, damagedFiles: 1 })
  })

  it('and is not of the spool stops neither the start nor the drain', async () => {
    const files = await spooled(2)
    for (const name of ['x.spool', 'README', '1-1.spool', '-'.repeat(200)])
      writeFileSync(pathOf(name), 'junk')
    for (const name of ['lost+found', '000000000000-5.spool', 'rejected.jsonl']) mkdirSync(pathOf(name))
    symlinkSync('/nonexistent', pathOf('dangling'))
    symlinkSync('/nonexistent', pathOf('000000000000-6.spool'))
    writeFileSync(pathOf('000000000009-1.spool.tmp'), 'never finished')
    const spool = await started()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(files.flat()))
    expect(spool.status).toMatchObject({ lostEvents: 0, damagedFiles: 0, stuckFiles: 0 })
    expect(existsSync(pathOf('000000000009-1.spool.tmp'))).toBe(false)
  })
})

/** Where some files cannot be opened, or removed. */
class ClosedFiles extends FaultyFileSystem {
  closed: string[] = []
  kept: string[] = []

  override readonly unlink = async (path: PathLike): Promise<void> => {
    if (this.kept.includes(String(path)))
      throw Object.assign(new Error('EROFS: read-only'), { code: 'EROFS' })
    rmSync(path)
  }

  override async open(path: string, flags: string, mode?: number): Promise<OpenFile> {
    if (this.closed.includes(path)) throw Object.assign(new Error('EACCES: denied'), { code: 'EACCES' })
    return super.open(path, flags, mode)
  }
}

describe('a file that cannot be', () => {
  it('read holds up no other, is told of, and is stored when it can be', async () => {
    const files = await spooled(2, 2)
    const fileSystem = new ClosedFiles()
    fileSystem.closed = [pathOf(segments()[0]!)]
    const spool = await started({ fileSystem })
    await vi.waitFor(() => expect(ids(sink.records)).toEqual(ids(files.slice(1).flat())))
    expect(spool.status).toMatchObject({ events: 1, stuckFiles: 1, lostEvents: 0 })
    expect(warnings.map(({ message }) => message)).toContain(
      'a spooled file is stuck: it is kept, tried again, and holds up no other',
    )
    const live = sampleRecord()
    await spool.accept(batchOf([live]))
    await vi.waitFor(() => expect(ids(sink.records)).toContain(live.eventId))
    fileSystem.closed = []
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids([...files.flat(), live]))
  })

  it('removed is stored only once, and removed when it can be', async () => {
    const files = await spooled(2)
    const fileSystem = new ClosedFiles()
    fileSystem.kept = segments().map(pathOf)
    const spool = await started({ fileSystem })
    await drained(spool)
    const calls = sink.calls.length
    await vi.waitFor(() => expect(spool.status.stuckFiles).toBe(2))
    fileSystem.kept = []
    await vi.waitFor(() => expect(segments()).toEqual([]), { timeout: 10_000 })
    expect(sink.calls).toHaveLength(calls)
    expect(ids(sink.records)).toEqual(ids(files.flat()))
  })

  it('set aside, because its disk is full, waits and holds up no other', async () => {
    const [alone, records] = await spooled(2)
    const fileSystem = new ClosedFiles()
    let isFull = false
    sink.reject(({ eventId }) => {
      if (eventId !== alone![0]!.eventId) return null
      if (!isFull) fileSystem.fill()
      isFull = true
      return 'bad'
    })
    const spool = await started({ fileSystem })
    await vi.waitFor(() => expect(ids(sink.records)).toEqual(ids(records!)))
    expect(spool.status).toMatchObject({ events: 1, rejectedEvents: 0 })
    fileSystem.failure = null
    await drained(spool)
    expect(spool.status.rejectedEvents).toBe(1)
    const lines = readFileSync(pathOf('rejected.jsonl'), 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => decodeLine(line).eventId)).toEqual(ids(alone!))
  })
})

describe('a fault of the store', () => {
  it.each([
    Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }),
    noSpace(),
    Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' }),
    Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' }),
  ])('(%s) sets nothing aside, not even when the store says that it is well', async (error) => {
    vi.spyOn(sink, 'health').mockResolvedValue()
    sink.fail(error)
    const spool = await started()
    const records = sampleRecords(2)
    for (const record of records) await spool.export(batchOf([record]), { signal: never })
    await vi.waitFor(() => expect(sink.calls.length).toBeGreaterThan(4), { timeout: 10_000 })
    expect(spool.status).toMatchObject({ events: 2, rejectedEvents: 0, setAsideBytes: 0 })
    sink.recover()
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(records))
  })
})

describe('health', () => {
  it('is that of the disk while batches go there, and does not wait for an exporter that hangs', async () => {
    const fileSystem = new FaultyFileSystem()
    const spool = await started({ fileSystem })
    vi.spyOn(sink, 'health').mockReturnValue(new Promise(() => {}))
    await spool.health()
    sink.fail()
    await spool.export(batchOf(sampleRecords(1)), { signal: never })
    vi.spyOn(sink, 'health').mockResolvedValue()
    fileSystem.fill()
    await expect(spool.health()).rejects.toThrow('ENOSPC')
    fileSystem.failure = null
    await spool.health()
  })
})

describe('restore', () => {
  it('brings rejected events back as they were, again and again', async () => {
    sink.fail()
    const spool = await started()
    const records = [
      sampleRecord(),
      sampleRecord({ attributes: Buffer.from('{"big":12345678901234567890}') }),
    ]
    await spool.export(batchOf(records), { signal: never })
    sink.fail(new PermanentExportError('the table lacks a column'))
    await drained(spool)
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await spool.restore()).toEqual({ files: 0, events: 2, unreadableLines: 0 })
      await drained(spool)
      expect(readFileSync(pathOf('rejected.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(2)
    }
    sink.recover()
    await spool.restore()
    await drained(spool)
    expect(encodeLines(sink.records).toString()).toBe(encodeLines(records).toString())
    await vi.waitFor(() => expect(readdirSync(directory)).toEqual([]))
    expect(spool.status).toMatchObject({ bytes: 0, setAsideBytes: 0 })
  })

  it('goes on with what an interrupted attempt has left, and keeps lines that it cannot read', async () => {
    mkdirSync(directory)
    const records = sampleRecords(2)
    writeFileSync(pathOf('rejected.jsonl.restoring'), `${encodeLines(records.slice(0, 1))}torn {"event_id"\n`)
    writeFileSync(pathOf('rejected.jsonl'), encodeLines(records.slice(1)))
    const spool = await started()
    expect(await spool.restore()).toEqual({ files: 0, events: 2, unreadableLines: 1 })
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(records))
    expect(readFileSync(pathOf('rejected.jsonl.unreadable'), 'utf8')).toBe('torn {"event_id"\n')
  })

  const run = promisify(execFile)
  const command = (...args: string[]) => {
    const main = join(import.meta.dirname, '../src/main.ts')
    const env = { PATH: process.env.PATH, SPOOL_DIR: join(directory, '..') }
    return run(process.execPath, ['-C', '@agentic-hooks/source', main, 'spool', ...args], { env })
  }

  it('is a command, while the receiver is off', async () => {
    mkdirSync(directory)
    const records = sampleRecords(2)
    writeFileSync(pathOf('rejected.jsonl'), encodeLines(records))
    expect((await command('restore')).stdout).toContain('"events":2')
    expect(readdirSync(directory)).toHaveLength(1)
    await drained(await started())
    expect(ids(sink.records)).toEqual(ids(records))
  })

  it('is a command, beside a receiver that runs', async () => {
    const spool = await started()
    const records = sampleRecords(2)
    writeFileSync(pathOf('rejected.jsonl'), encodeLines(records))
    expect((await command('restore')).stdout).toContain('restored by the running receiver')
    await drained(spool)
    expect(ids(sink.records)).toEqual(ids(records))
  })

  it('is the only word that the command takes', async () => {
    await expect(command('empty')).rejects.toThrow('spool takes one word, restore')
  })
})
