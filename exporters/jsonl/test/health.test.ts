import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OpenFile } from '@agentic-hooks/durable-files'
import { FaultyFileSystem } from '@agentic-hooks/durable-files/testing'
import { batchOf, encodeLines, queryEvents } from '@agentic-hooks/events'
import { sampleRecord, sampleRecords } from '@agentic-hooks/events/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createExporter, type JsonlExporter } from '../src/index.ts'

const never = new AbortController().signal
const logger = { info() {}, warn() {} }

/** Where writes of one file fail, or never end. */
class FaultyFile extends FaultyFileSystem {
  error: Error | null = null
  mayBeCut = true
  hang: Promise<void> | null = null
  readonly #path: string

  constructor(path: string) {
    super()
    this.#path = path
  }

  override async open(path: string, flags: string, mode?: number): Promise<OpenFile> {
    const file = await super.open(path, flags, mode)
    if (path !== this.#path) return file
    return {
      ...file,
      writev: async (buffers) => {
        if (this.error) throw this.error
        return file.writev(buffers)
      },
      truncate: async (length) => {
        if (!this.mayBeCut) throw Object.assign(new Error('EPERM: append only'), { code: 'EPERM' })
        await file.truncate(length)
      },
      datasync: async () => {
        await this.hang
        await file.datasync()
      },
    }
  }
}

let directory = ''
let path = ''
let fileSystem: FaultyFile
let exporter: JsonlExporter

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'exporter-jsonl-health-'))
  path = join(directory, 'events.jsonl')
  fileSystem = new FaultyFile(path)
  exporter = createExporter({ path, fileSystem }, { logger })
  await exporter.start()
})

afterEach(async () => {
  vi.useRealTimers()
  await exporter.shutdown()
  rmSync(directory, { recursive: true })
})

const write = () => exporter.export(batchOf(sampleRecords(1)), { signal: never })

describe('health', () => {
  it('is ill while the file itself takes no writes, though its folder does, and well again by itself', async () => {
    await write()
    fileSystem.error = new Error('EIO: i/o error, write')
    await expect(write()).rejects.toThrow('EIO')
    await expect(exporter.health()).rejects.toThrow('EIO')
    await expect(exporter.health()).rejects.toThrow('EIO')
    fileSystem.error = null
    await exporter.health()
    await exporter.health()
  })

  it('leaves nothing in the file when it tries it', async () => {
    const record = sampleRecord()
    await exporter.export(batchOf([record]), { signal: never })
    fileSystem.error = new Error('EIO: i/o error, write')
    await expect(write()).rejects.toThrow('EIO')
    fileSystem.error = null
    await exporter.health()
    expect(readFileSync(path, 'utf8')).toBe(encodeLines([record]).toString())
  })

  it('does not make a file longer and longer that can only be appended to', async () => {
    await write()
    fileSystem.mayBeCut = false
    fileSystem.error = new Error('EIO: i/o error, write')
    await expect(write()).rejects.toThrow('EIO')
    fileSystem.error = null
    await exporter.health()
    const { size } = statSync(path)
    for (let check = 0; check < 3; check++) await exporter.health()
    expect(statSync(path).size).toBe(size)
    await write()
    const found: string[] = []
    for await (const { eventId } of queryEvents(exporter, {})) found.push(eventId)
    expect(found).toHaveLength(2)
  })

  it('is ill while a write does not end, and says how long', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    vi.useFakeTimers({ toFake: ['performance'] })
    fileSystem.hang = promise
    const written = write()
    await exporter.health()
    vi.advanceTimersByTime(6_000)
    await expect(exporter.health()).rejects.toThrow('a write has not ended for 6000 ms')
    resolve()
    await written
    await exporter.health()
  })
})

const canMount = process.platform === 'linux' && spawnSync('unshare', ['-rm', 'true']).status === 0
if (!canMount) console.warn('a file without permissions needs Linux with user namespaces (unshare -rm)')

describe.runIf(canMount)('on a file system that is really in the way', () => {
  /** Runs health-child.ts where the folder is a small file system of its own; what it printed. */
  function run(fault: 'read-only file' | 'little room'): Record<string, string> {
    const script = `mount -t tmpfs -o size=512k none "$1" && exec "$2" -C @agentic-hooks/source "$3" "$1" "$4"`
    const child = join(import.meta.dirname, 'health-child.ts')
    const args = ['-rm', 'sh', '-c', script, 'sh', directory, process.execPath, child, fault]
    const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' })
    if (!stdout) throw new Error(stderr)
    return JSON.parse(stdout)
  }

  it('a file that was made anew and may not be written to is ill health before anything is written', () => {
    const { before, during, after, stored } = run('read-only file')
    expect(before).toBe('well')
    expect(during).toMatch(/EROFS|EACCES/)
    expect(after).toBe('well')
    expect(stored).toBe('2')
  })

  it('a disk with 16 KiB left is ill health', () => {
    const { before, during, after, stored } = run('little room')
    expect(before).toBe('well')
    expect(during).toMatch(/ENOSPC/)
    expect(after).toBe('well')
    expect(stored).toBe('2')
  })
})
