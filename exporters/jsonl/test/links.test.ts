import { execFileSync } from 'node:child_process'
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LockedError } from '@agentic-hooks/durable-files'
import { batchOf, decodeLine, queryEvents } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createExporter, type JsonlExporter } from '../src/index.ts'
import { startWriter, type Writer } from './processes.ts'

const never = new AbortController().signal
const logger = { info() {}, warn() {} }
let directory = ''
let link = ''
const exporters: JsonlExporter[] = []
let writer: Writer | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'exporter-jsonl-links-'))
  for (const name of ['small', 'big']) mkdirSync(join(directory, name))
  link = join(directory, 'small', 'events.jsonl')
})

afterEach(async () => {
  await Promise.all(exporters.splice(0).map((exporter) => exporter.shutdown()))
  await writer?.kill()
  writer = undefined
  rmSync(directory, { recursive: true })
})

function newExporter(path: string, maxFileBytes = 2 ** 20): JsonlExporter {
  const exporter = createExporter({ path, maxFileBytes }, { logger })
  exporters.push(exporter)
  return exporter
}

async function started(path: string, maxFileBytes?: number): Promise<JsonlExporter> {
  const exporter = newExporter(path, maxFileBytes)
  await exporter.start()
  return exporter
}

describe('a path that is a symbolic link', () => {
  it.each([
    ['a file', () => writeFileSync(join(directory, 'big', 'real.jsonl'), '')],
    ['a file that is not there yet', () => {}],
    ['a folder that is not there yet', () => rmSync(join(directory, 'big'), { recursive: true })],
  ])('to %s stays one, while the files behind it rotate in their folder', async (_, prepare) => {
    symlinkSync('../big/real.jsonl', link)
    prepare()
    const exporter = await started(link, 600)
    const records = sampleRecords(6)
    for (const record of records) await exporter.export(batchOf([record]), { signal: never })
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(readdirSync(join(directory, 'small'))).toEqual(['events.jsonl'])
    const files = readdirSync(join(directory, 'big')).filter((name) => name.endsWith('.jsonl'))
    expect(files.length).toBeGreaterThan(2)
    const lines = files.flatMap((name) =>
      readFileSync(join(directory, 'big', name), 'utf8')
        .trim()
        .split('\n'),
    )
    expect(lines.map((line) => decodeLine(line).eventId)).toEqual(records.map(({ eventId }) => eventId))
    const found: string[] = []
    for await (const { eventId } of queryEvents(exporter, {})) found.push(eventId)
    expect(found.sort()).toEqual(records.map(({ eventId }) => eventId).sort())
  })

  it('leads to its file through a linked folder too', async () => {
    symlinkSync(join(directory, 'small'), join(directory, 'short'))
    symlinkSync('../big/real.jsonl', link)
    const exporter = await started(join(directory, 'short', 'events.jsonl'))
    await exporter.export(batchOf(sampleRecords(1)), { signal: never })
    expect(readdirSync(join(directory, 'big')).sort()).toEqual(['real.jsonl', 'real.jsonl.lock'])
  })

  it('that leads in a circle is refused', async () => {
    symlinkSync('events.jsonl', link)
    await expect(started(link)).rejects.toThrow(/leads through more than 40 symbolic links|ELOOP/)
  })
})

describe('one file under two names', () => {
  it('is refused to a second exporter that comes by a symbolic link', async () => {
    symlinkSync('../big/real.jsonl', link)
    await started(link)
    await expect(started(join(directory, 'big', 'real.jsonl'))).rejects.toThrow(LockedError)
  })

  it.runIf(process.platform === 'linux')(
    'is refused to a process that comes by a hard link, until the holder ends',
    async () => {
      const [one, other] = [join(directory, 'big', 'a.jsonl'), join(directory, 'small', 'b.jsonl')]
      writer = startWriter(one, 0)
      await writer.waitFor(({ started }) => started === true)
      linkSync(one, other)
      await expect(started(other)).rejects.toThrow(
        `${other} is written to by process ${writer.pid} under another name`,
      )
      await writer.kill()
      await started(other)
    },
  )

  it.runIf(process.platform === 'linux')('is free again after a rotation', async () => {
    const exporter = await started(link, 600)
    for (const record of sampleRecords(3)) await exporter.export(batchOf([record]), { signal: never })
    const rotated = readdirSync(join(directory, 'small')).find((name) => name.startsWith('events-'))!
    await started(join(directory, 'small', rotated))
  })
})

describe('a path that is not a regular file', () => {
  it.each(['/dev/null', '/dev/full'])('such as %s is refused at the start by name', async (path) => {
    await expect(started(path)).rejects.toThrow(
      `exporter-jsonl: path is "${path}", which is a folder, a device or a pipe; name a regular file`,
    )
  })

  it('such as a folder, a pipe or a link to one is refused at the start', async () => {
    const pipe = join(directory, 'pipe')
    execFileSync('mkfifo', [pipe])
    symlinkSync(pipe, link)
    for (const path of [directory, pipe, link]) {
      await expect(started(path)).rejects.toThrow('which is a folder, a device or a pipe')
    }
    expect(readdirSync(directory).sort()).toEqual(['big', 'pipe', 'small'])
  })
})
