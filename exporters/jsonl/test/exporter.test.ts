import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FaultyFileSystem, SimulatedDisk } from '@agentic-hooks/durable-files/testing'
import { batchOf, type EventRecord, encodeLines } from '@agentic-hooks/events'
import { sampleRecord, sampleRecords } from '@agentic-hooks/events/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createExporter, type JsonlExporter, type JsonlExporterOptions } from '../src/index.ts'

const never = new AbortController().signal
let directory = ''
let path = ''
let warnings: string[] = []
let exporter: JsonlExporter | undefined
const logger = { info() {}, warn: (_: object, message: string) => void warnings.push(message) }

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'exporter-jsonl-'))
  path = join(directory, 'events.jsonl')
  warnings = []
})

afterEach(async () => {
  vi.useRealTimers()
  await exporter?.shutdown()
  exporter = undefined
  rmSync(directory, { recursive: true, force: true })
})

async function started(options: JsonlExporterOptions = {}): Promise<JsonlExporter> {
  exporter = createExporter({ path, ...options }, { logger })
  await exporter.start()
  return exporter
}

async function write(...records: EventRecord[]): Promise<void> {
  await exporter!.export(batchOf(records), { signal: never })
}

const content = (file = path) => readFileSync(file, 'utf8')
const lineOf = (record: EventRecord) => encodeLines([record]).toString()
const rotated = () =>
  readdirSync(directory)
    .filter((name) => name.startsWith('events-'))
    .sort()

describe('the file', () => {
  it('is made with its folders, for its owner alone', async () => {
    path = join(directory, 'a', 'b', 'events.jsonl')
    await started()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('is .agentic/analytics/events.jsonl unless a path is given', async () => {
    const disk = new SimulatedDisk()
    const exporter = createExporter({ fileSystem: disk })
    await exporter.start()
    expect(disk.paths()).toContain(join(process.cwd(), '.agentic/analytics/events.jsonl'))
    await exporter.shutdown()
  })

  it('gets the lines of batches in the order of their export', async () => {
    await started()
    const records = sampleRecords(50)
    await Promise.all(records.map((record) => write(record)))
    expect(content()).toBe(encodeLines(records).toString())
  })

  it('is appended to', async () => {
    const [one, two] = [sampleRecord(), sampleRecord()]
    writeFileSync(path, lineOf(one))
    await started()
    await write(two)
    expect(content()).toBe(lineOf(one) + lineOf(two))
  })

  it('is made anew when someone deletes or moves it', async () => {
    await started()
    const records = sampleRecords(3)
    await write(records[0]!)
    renameSync(path, join(directory, 'moved'))
    await write(records[1]!)
    expect(content()).toBe(lineOf(records[1]!))
    rmSync(directory, { recursive: true })
    await write(records[2]!)
    expect(content()).toBe(lineOf(records[2]!))
    expect(warnings).toEqual(Array(2).fill('the file was moved or deleted; going on with a new one'))
  })
})

describe('a path that another process has taken over', () => {
  it('is not written to any more', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    await started()
    writeFileSync(`${path}.lock`, JSON.stringify({ token: 'x', pid: 1, host: 'elsewhere' }))
    vi.advanceTimersByTime(10_000)
    await vi.waitFor(() => expect(exporter!.health()).rejects.toThrow(/another process has taken over/))
    await expect(write(sampleRecord())).rejects.toThrow(
      /another process has taken over .*start this one again/,
    )
    expect(content()).toBe('')
  })
})

describe('group commit', () => {
  it('syncs once for everything that gathered during the sync before', async () => {
    const disk = new SimulatedDisk()
    await started({ path: '/events.jsonl', fileSystem: disk })
    const before = disk.syncs.length
    await Promise.all(sampleRecords(100).map((record) => write(record)))
    expect(disk.syncs.slice(before)).toEqual(['/events.jsonl', '/events.jsonl'])
  })

  it('starts another group where one would be larger than maxGroupBytes', async () => {
    const disk = new SimulatedDisk()
    await started({ path: '/events.jsonl', fileSystem: disk, maxGroupBytes: 1000 })
    const before = disk.syncs.length
    await Promise.all(sampleRecords(10).map((record) => write(record)))
    expect(disk.syncs.length - before).toBeGreaterThan(2)
  })

  it('leaves out batches that nobody waits for any more', async () => {
    await started()
    const gone = new AbortController()
    const first = write(sampleRecord())
    const second = exporter!.export(batchOf(sampleRecords(1)), { signal: gone.signal })
    gone.abort(new Error('gone'))
    await expect(second).rejects.toThrow('gone')
    await first
    await write(sampleRecord())
    expect(content().trim().split('\n')).toHaveLength(2)
  })

  it('refuses batches while maxQueuedBytes wait, and takes them again after', async () => {
    await started({ maxQueuedBytes: 100 })
    const first = write(sampleRecord())
    await expect(write(sampleRecord())).rejects.toThrow(
      /the disk does not keep up: \d+ bytes wait, maxQueuedBytes is 100/,
    )
    await first
    await write(sampleRecord())
  })
})

describe('rotation', () => {
  it('by size keeps every file within maxFileBytes, in names that sort as they were written', async () => {
    await started({ maxFileBytes: 1000 })
    const records = sampleRecords(20)
    for (const record of records) await write(record)
    const files = rotated()
    expect(files.length).toBeGreaterThan(5)
    for (const name of files) {
      expect(name).toMatch(/^events-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.jsonl$/)
      expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1000)
    }
    const all = files.map((name) => content(join(directory, name))).join('') + content()
    expect(all).toBe(encodeLines(records).toString())
  })

  it('keeps the order of names when the clock is set back', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-22T12:00:00Z') })
    await started({ maxFileBytes: 300 })
    for (const minutes of [0, 5, -60]) {
      vi.setSystemTime(new Date(Date.UTC(2026, 10, 22, 12, minutes)))
      await write(sampleRecord())
    }
    await write(sampleRecord())
    expect(rotated()).toEqual([
      'events-2026-11-22T12-05-00.000Z.jsonl',
      'events-2026-11-22T12-05-00.001Z.jsonl',
      'events-2026-11-22T12-05-00.002Z.jsonl',
    ])
  })

  it('by day begins a file at the first write of a day in UTC', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-22T23:59:59Z') })
    await started({ rotateDaily: true })
    const records = sampleRecords(3)
    await write(records[0]!)
    await write(records[1]!)
    expect(rotated()).toEqual([])
    vi.setSystemTime(new Date('2026-11-23T00:00:01Z'))
    await write(records[2]!)
    expect(rotated()).toEqual(['events-2026-11-23T00-00-01.000Z.jsonl'])
    expect(content()).toBe(lineOf(records[2]!))
  })

  it('by day also where the file is of a day before the start', async () => {
    writeFileSync(path, lineOf(sampleRecord()))
    utimesSync(path, 1_000_000, 1_000_000)
    await started({ rotateDaily: true })
    await write(sampleRecord())
    expect(rotated()).toHaveLength(1)
  })

  it('deletes the oldest files beyond maxFiles', async () => {
    await started({ maxFileBytes: 300, maxFiles: 3 })
    const records = sampleRecords(10)
    for (const record of records) await write(record)
    expect(rotated()).toHaveLength(2)
    const kept =
      rotated()
        .map((name) => content(join(directory, name)))
        .join('') + content()
    expect(kept).toBe(encodeLines(records.slice(-3)).toString())
  })

  it('leaves other files of the folder alone', async () => {
    const others = ['events-old.jsonl', 'events-2026-11-22.jsonl', 'other-2026-11-22T12-00-00.000Z.jsonl']
    for (const name of others) writeFileSync(join(directory, name), '')
    await started({ maxFileBytes: 300, maxFiles: 1 })
    for (const record of sampleRecords(3)) await write(record)
    expect(readdirSync(directory).sort()).toEqual([...others, 'events.jsonl', 'events.jsonl.lock'].sort())
  })
})

describe('a torn last line', () => {
  it.each([
    ['half a line', '{"event_id":"01a2'],
    ['zeros', '\0'.repeat(4096)],
    ['more than is read at a time', `{"a":"${'x'.repeat(200_000)}`],
  ])('of %s is cut off at start and kept aside', async (_, tail) => {
    const [one, two] = [sampleRecord(), sampleRecord()]
    writeFileSync(path, lineOf(one) + tail)
    await started()
    await write(two)
    expect(content()).toBe(lineOf(one) + lineOf(two))
    expect(content(`${path}.torn`)).toBe(`${tail}\n`)
    expect(warnings).toEqual(['cut off a torn last line'])
  })

  it('that is all there is leaves an empty file', async () => {
    writeFileSync(path, '{"torn')
    await started()
    expect(content()).toBe('')
  })

  it('that only lacks its newline gets it', async () => {
    const [one, two] = [sampleRecord(), sampleRecord()]
    writeFileSync(path, lineOf(one).trimEnd())
    await started()
    await write(two)
    expect(content()).toBe(lineOf(one) + lineOf(two))
    expect(warnings).toEqual([])
    expect(existsSync(`${path}.torn`)).toBe(false)
  })
})

describe('a disk in trouble', () => {
  it.each(['writev', 'datasync'] as const)(
    '(%s) leaves no half lines, and the file goes on when it is over',
    async (failing) => {
      const fileSystem = new FaultyFileSystem()
      fileSystem.failing = failing
      await started({ fileSystem })
      const records = sampleRecords(3)
      await write(records[0]!)
      fileSystem.fill()
      await expect(write(records[1]!)).rejects.toThrow('ENOSPC')
      expect(content()).toBe(lineOf(records[0]!))
      await expect(exporter!.health()).rejects.toThrow('ENOSPC')
      fileSystem.failure = null
      await exporter!.health()
      await write(records[2]!)
      expect(content()).toBe(lineOf(records[0]!) + lineOf(records[2]!))
    },
  )

  it('leaves lines that somebody else appended', async () => {
    const fileSystem = new FaultyFileSystem()
    await started({ fileSystem })
    const records = sampleRecords(2)
    await write(records[0]!)
    appendFileSync(path, lineOf(records[1]!))
    fileSystem.fill()
    await expect(write(sampleRecord())).rejects.toThrow('ENOSPC')
    expect(content()).toBe(encodeLines(records).toString())
  })

  it('rejects the start where the path cannot be written, naming it', async () => {
    path = join(directory, 'a-folder')
    mkdtempSync(path)
    rmSync(path, { recursive: true, force: true })
    writeFileSync(path, '')
    const exporter = createExporter({ path: join(path, 'events.jsonl') })
    await expect(exporter.start()).rejects.toThrow(/a-folder/)
    await exporter.shutdown()
  })
})

describe('createExporter', () => {
  it.each([
    [{ path: '' }, "exporter-jsonl option path is ''; it must be a path"],
    [{ maxFileBytes: 0 }, 'exporter-jsonl option maxFileBytes is 0; it must be an integer from 1'],
    [{ maxFileBytes: '10' }, "exporter-jsonl option maxFileBytes is '10'; it must be an integer from 1"],
    [{ rotateDaily: 1 }, 'exporter-jsonl option rotateDaily is 1; it must be true or false'],
    [
      { maxFiles: 0 },
      'exporter-jsonl option maxFiles is 0; it must be an integer from 1, or null to keep all',
    ],
    [
      { maxBytes: 5 },
      'exporter-jsonl has no option maxBytes; did you mean maxFiles? The options are path, maxFileBytes,',
    ],
    [JSON.parse('{"__proto__": {"path": "x"}}'), 'exporter-jsonl has no option __proto__;'],
    [{ constructor: 1 }, 'exporter-jsonl has no option constructor;'],
  ])('refuses %o', (options, message) => {
    expect(() => createExporter(options)).toThrow(message)
  })

  it('takes undefined for an option that is not given', () => {
    expect(() => createExporter({ path: undefined, maxFiles: null })).not.toThrow()
  })
})
