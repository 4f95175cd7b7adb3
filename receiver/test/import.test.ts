import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import {
  decodeLine,
  type EventBatch,
  type ExportOptions,
  type ExportResult,
  encodeLines,
  PermanentExportError,
  sealLine,
  toHookEvent,
  uuidFromText,
} from '@agentic-hooks/events'
import { hardRecords, SinkExporter, sampleRecords } from '@agentic-hooks/events/testing'
import { createExporter } from '@agentic-hooks/exporter-jsonl'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type ImportOptions,
  type ImportProgress,
  importFiles,
  type RejectedLine,
} from '../src/commands/import-files.ts'
import { ProgressBar, progressLine } from '../src/commands/import-progress.ts'

let directory = ''
let sink = new SinkExporter()
let rejected: RejectedLine[] = []
let progress: ImportProgress[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'import-'))
  sink = new SinkExporter()
  rejected = []
  progress = []
})

afterEach(() => rmSync(directory, { recursive: true }))

function write(name: string, content: string | Buffer): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

function run(paths: string[], options: Partial<ImportOptions> = {}, exporter: SinkExporter = sink) {
  return importFiles(paths, exporter, {
    signal: new AbortController().signal,
    onRejected: (line) => rejected.push(line),
    onProgress: (now) => progress.push(now),
    ...options,
  })
}

function makeFifo(): string {
  const path = join(directory, 'fifo')
  execFileSync('mkfifo', [path])
  return path
}

describe('importFiles', () => {
  it("takes the lines of a client's spool as they were, and none that was altered since", async () => {
    const records = sampleRecords(3)
    const lines = records.map((record) => sealLine(encodeLines([record])))
    const altered = lines[1]!.toString().replace(records[1]!.eventType, 'altered')
    const path = write('a.jsonl', Buffer.concat([lines[0]!, Buffer.from(altered), lines[2]!]))
    expect(await run([path])).toMatchObject({ stored: 2, rejected: 1 })
    expect(encodeLines(sink.records).toString()).toBe(encodeLines([records[0]!, records[2]!]).toString())
    expect(rejected).toEqual([{ path, number: 2, reason: 'the line is damaged: its checksum is another' }])
  })

  it('stores every event of every file as it was written', async () => {
    const [first, second] = [[...hardRecords().values()], sampleRecords(2500)]
    const paths = [write('a.jsonl', encodeLines(first)), write('b.jsonl', encodeLines(second))]
    const all = [...first, ...second]
    expect(await run(paths)).toEqual({ stored: all.length, duplicates: 0, rejected: 0, isComplete: true })
    const lines = encodeLines(all).toString().trimEnd().split('\n')
    const decoded = new Map(lines.map((line) => decodeLine(line)).map((record) => [record.eventId, record]))
    expect(sink.records).toHaveLength(all.length)
    for (const record of sink.records)
      expect(toHookEvent(record)).toEqual(toHookEvent(decoded.get(record.eventId)!))
    expect(progress.at(-1)).toEqual({
      bytes: statSync(paths[0]!).size + statSync(paths[1]!).size,
      totalBytes: statSync(paths[0]!).size + statSync(paths[1]!).size,
      events: all.length,
    })
  })

  it('stores nothing twice when it is run again', async () => {
    const path = write('events.jsonl', encodeLines(sampleRecords(10)))
    await run([path])
    appendFileSync(path, encodeLines(sampleRecords(5)))
    expect(await run([path])).toEqual({ stored: 5, duplicates: 10, rejected: 0, isComplete: true })
  })

  it('reads older flat lines the same each time, those without a time too', async () => {
    const flat =
      '{"timestamp":"2025-01-02T03:04:05.678901","event_type":"hook_decision","handler":"guard","decision":"deny"}'
    const path = write(
      'old.jsonl',
      `{"event_type":"first"}\r\n${flat}\r\n\r\n{"event_type":"next","session_id":"s"}`,
    )
    utimesSync(path, 1_700_000_000, 1_700_000_000)
    expect(await run([path])).toMatchObject({ stored: 3, duplicates: 0 })
    expect(sink.records.map(toHookEvent)).toMatchObject([
      { eventType: 'first', timestamp: new Date(1_700_000_000_000) },
      {
        eventType: 'hook_decision',
        data: { handler: 'guard', decision: 'deny' },
        eventId: uuidFromText(flat),
      },
      { eventType: 'next', sessionId: 's', timestamp: new Date('2025-01-02T03:04:05.678Z') },
    ])
    const before = sink.records
    expect(await run([path])).toMatchObject({ stored: 0, duplicates: 3 })
    expect(sink.calls.flatMap(({ events }) => events).slice(3)).toEqual(before)
  })

  it('names lines that are no events by their numbers and keeps them aside', async () => {
    const [one, two] = sampleRecords(2)
    const path = write(
      'events.jsonl',
      `\uFEFF${encodeLines([one!])}{"torn\n\n[]\n{"event_type":"x","session_id":1}\n${encodeLines([two!])}`,
    )
    expect(await run([path])).toEqual({ stored: 2, duplicates: 0, rejected: 3, isComplete: true })
    expect(rejected).toEqual([
      { path, number: 2, reason: expect.stringContaining('JSON') },
      { path, number: 4, reason: 'must be a JSON object' },
      { path, number: 5, reason: 'session_id: must be a string, not a number' },
    ])
    expect(readFileSync(`${path}.rejected`, 'utf8')).toBe('{"torn\n[]\n{"event_type":"x","session_id":1}\n')
    writeFileSync(path, encodeLines([one!]))
    await run([path])
    expect(existsSync(`${path}.rejected`)).toBe(false)
  })

  it.each([
    ['amid others', '\n'],
    ['at the end, without a newline', ''],
  ])('names a line that is too long, and stores the others: %s', async (_, ending) => {
    const [one, two, three] = sampleRecords(3)
    const maxLineBytes = encodeLines([one!]).byteLength - 1
    // Over several reads of the file, and then one byte too many.
    const long = `${'x'.repeat(5_000_000)}\n${'y'.repeat(maxLineBytes + 1)}`
    const path = write(
      'events.jsonl',
      `${encodeLines([one!])}${long}\n${encodeLines([two!])}${long}${ending}`,
    )
    if (ending) appendFileSync(path, encodeLines([three!]))
    expect(await run([path], { maxLineBytes })).toEqual({
      ...{ stored: ending ? 3 : 2, duplicates: 0, rejected: 4, isComplete: true },
    })
    expect(rejected.map(({ number }) => number)).toEqual([2, 3, 5, 6])
    expect(rejected[0]!.reason).toBe(
      `has more than MAX_LINE_BYTES (${maxLineBytes}); raise it and run the import again`,
    )
    expect(existsSync(`${path}.rejected`)).toBe(false)
  })

  it('holds no more of a long line than the limit', async () => {
    const path = write('events.jsonl', '')
    for (let written = 0; written < 8; written++) appendFileSync(path, Buffer.alloc(2 ** 23, 'x'))
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }, 1)
    await run([path], { maxLineBytes: 2 ** 20 })
    clearInterval(watch)
    expect(rejected).toHaveLength(1)
    expect(most).toBeLessThan(2 ** 24)
  })

  it.each([
    ['a directory', () => directory, 'is a directory: name its files'],
    ['a device', () => '/dev/null', 'is not a file on a disk: write it into one first'],
    ['a FIFO without a writer', () => makeFifo(), 'is not a file on a disk: write it into one first'],
  ])('refuses %s before it stores anything', async (_, make, message) => {
    const path = make()
    const before = write('events.jsonl', encodeLines(sampleRecords(1)))
    await expect(run([before, path])).rejects.toThrow(`${JSON.stringify(path)} ${message}`)
    expect(sink.records).toEqual([])
  })

  it('names lines that the exporter rejects', async () => {
    const records = sampleRecords(3)
    const path = write('events.jsonl', encodeLines(records))
    sink.reject(({ eventId }) => (eventId === records[1]!.eventId ? 'too strange' : null))
    expect(await run([path])).toMatchObject({ stored: 2, rejected: 1 })
    expect(rejected).toEqual([{ path, number: 2, reason: 'too strange' }])
    expect(readFileSync(`${path}.rejected`, 'utf8')).toBe(encodeLines([records[1]!]).toString())
  })

  it('rejects the lines of a batch that can never succeed', async () => {
    const path = write('events.jsonl', encodeLines(sampleRecords(2)))
    sink.fail(new PermanentExportError('never'))
    expect(await run([path])).toMatchObject({ stored: 0, rejected: 2 })
    expect(rejected.map(({ reason }) => reason)).toEqual(['never', 'never'])
  })

  it('tries an exporter that fails again', async () => {
    const path = write('events.jsonl', encodeLines(sampleRecords(2)))
    sink.fail()
    const imported = run([path])
    await vi.waitFor(() => expect(sink.calls.length).toBeGreaterThan(1))
    sink.recover()
    expect(await imported).toMatchObject({ stored: 2 })
  })

  it('fails with the error of an exporter that does not come back', async () => {
    const path = write('events.jsonl', encodeLines(sampleRecords(5000)))
    sink.fail(new Error('gone for good'))
    await expect(run([path], { retryMillis: 1 })).rejects.toThrow('gone for good')
  })

  it('ends after the batches under way when it is told to, and can be run again', async () => {
    const path = write('events.jsonl', encodeLines(sampleRecords(20_000)))
    const stop = new AbortController()
    class StoppingSink extends SinkExporter {
      override export(batch: EventBatch, options: ExportOptions): Promise<ExportResult> {
        stop.abort()
        return super.export(batch, options)
      }
    }
    const stopping = new StoppingSink()
    const first = await run(
      [path, write('other.jsonl', encodeLines(sampleRecords(1)))],
      { signal: stop.signal },
      stopping,
    )
    expect(first.isComplete).toBe(false)
    expect(first.stored).toBe(stopping.records.length)
    expect(first.stored).toBeGreaterThan(0)
    const second = await run([path], {}, stopping)
    expect(second).toEqual({
      stored: 20_000 - first.stored,
      duplicates: first.stored,
      rejected: 0,
      isComplete: true,
    })
  })

  it('does not import what is appended meanwhile, even to the file it reads from', async () => {
    const path = write('events.jsonl', encodeLines(sampleRecords(3000)))
    const exporter = createExporter({ path })
    await exporter.start()
    const { signal } = new AbortController()
    expect(await importFiles([path], exporter, { signal })).toMatchObject({ stored: 3000 })
    await exporter.shutdown()
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(6000)
  })

  it('stores nothing when one of the files is not there', async () => {
    const path = write('events.jsonl', encodeLines(sampleRecords(2)))
    await expect(run([path, join(directory, 'missing.jsonl')])).rejects.toThrow(/ENOENT.*missing\.jsonl/)
    expect(sink.calls).toEqual([])
  })

  it('imports an empty file', async () => {
    expect(await run([write('empty.jsonl', '')])).toEqual({
      stored: 0,
      duplicates: 0,
      rejected: 0,
      isComplete: true,
    })
  })
})

describe('the progress bar', () => {
  const halfWay = { bytes: 50, totalBytes: 100, events: 12_345 }

  it('tells share, events, speed and time left', () => {
    const line = stripVTControlCharacters(progressLine(halfWay, 10))
    expect(line).toBe(`${'█'.repeat(15)}${'░'.repeat(15)} 50 %  12,345 events  1,235/s  10 s left`)
    const last = stripVTControlCharacters(progressLine({ ...halfWay, bytes: 100 }, 10))
    expect(last).toBe(`${'█'.repeat(30)} 100 %  12,345 events  1,235/s`)
  })

  it('is drawn on a terminal only', () => {
    const drawn = (isTTY: boolean) => {
      const written: string[] = []
      const bar = new ProgressBar({
        isTTY,
        write: (text: string) => written.push(text),
      } as unknown as WriteStream)
      for (let index = 0; index < 1000; index++) bar.update(halfWay)
      bar.clear()
      return written
    }
    expect(drawn(false)).toEqual([])
    expect(drawn(true).length).toBeGreaterThan(1)
    expect(drawn(true).length).toBeLessThan(1000)
  })
})
