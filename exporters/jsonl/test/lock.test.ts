import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileLock, LockedError, nodeFileSystem } from '@agentic-hooks/durable-files'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createExporter } from '../src/index.ts'
import { startWriter, type Writer } from './processes.ts'

let directory = ''
const writers: Writer[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'exporter-jsonl-lock-'))
})

afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(writers.splice(0).map((writer) => writer.kill()))
  rmSync(directory, { recursive: true })
})

function start(path: string, batches?: number): Writer {
  const writer = startWriter(path, batches)
  writers.push(writer)
  return writer
}

describe('several receivers on one path', () => {
  it('refuses the second one, naming the process that holds the path', async () => {
    const path = join(directory, 'events.jsonl')
    const first = start(path, 0)
    await first.waitFor(({ started }) => started === true)
    const second = createExporter({ path })
    await expect(second.start()).rejects.toThrow(LockedError)
    await expect(second.start()).rejects.toThrow(
      new RegExp(
        `events\\.jsonl\\.lock is held by process ${first.pid} on .* Stop that process or use another path`,
      ),
    )
    await second.shutdown()
  })

  it('refuses a second one in the same process', async () => {
    const path = join(directory, 'events.jsonl')
    const first = createExporter({ path })
    await first.start()
    await expect(createExporter({ path }).start()).rejects.toThrow(`is held by process ${process.pid}`)
    await first.shutdown()
    const second = createExporter({ path })
    await second.start()
    await second.shutdown()
  })

  it('lets go at shutdown, leaving nothing behind', async () => {
    const path = join(directory, 'events.jsonl')
    await start(path, 2).exited
    expect(readdirSync(directory)).toEqual(['events.jsonl'])
  })

  it('takes over at once from a process that was killed', async () => {
    const path = join(directory, 'events.jsonl')
    const first = start(path, 0)
    await first.waitFor(({ started }) => started === true)
    await first.kill()
    expect(readdirSync(directory)).toContain('events.jsonl.lock')
    const second = createExporter({ path })
    await second.start()
    await second.shutdown()
    expect(readdirSync(directory)).toEqual(['events.jsonl'])
  })

  it('lets exactly one of many take over from a process that was killed', async () => {
    const path = join(directory, 'events.jsonl')
    const first = start(path, 0)
    await first.waitFor(({ started }) => started === true)
    await first.kill()
    const contenders = Array.from({ length: 6 }, () => start(path, 0))
    const outcomes = await Promise.all(
      contenders.map((writer) => writer.waitFor(({ started, error }) => Boolean(started ?? error))),
    )
    expect(outcomes.filter(({ started }) => started)).toHaveLength(1)
    for (const { error } of outcomes.filter(({ started }) => !started))
      expect(error).toMatch(/is held by process/)
  })
})

describe('FileLock', () => {
  const path = () => join(directory, 'lock')

  /** A lock of a process that cannot be seen from here. */
  function writeForeignLock(
    ageSeconds: number,
    content = JSON.stringify({ token: 'x', pid: 1, host: 'elsewhere' }),
  ) {
    writeFileSync(path(), content)
    const time = Date.now() / 1000 - ageSeconds
    utimesSync(path(), time, time)
  }

  it('believes a process elsewhere as long as its heart beats', async () => {
    writeForeignLock(50)
    await expect(FileLock.acquire(nodeFileSystem, path())).rejects.toThrow(
      /is held by process 1 on elsewhere \(last sign of life 50 s ago\)/,
    )
  })

  it('takes over from a process elsewhere after a minute without a heartbeat', async () => {
    writeForeignLock(61)
    const lock = await FileLock.acquire(nodeFileSystem, path())
    expect(JSON.parse(readFileSync(path(), 'utf8')).pid).toBe(process.pid)
    await lock.release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('waits as long for a lock that was only half written', async () => {
    writeForeignLock(50, '{"tok')
    await expect(FileLock.acquire(nodeFileSystem, path())).rejects.toThrow(LockedError)
    writeForeignLock(61, '')
    await (await FileLock.acquire(nodeFileSystem, path())).release()
  })

  it('takes over also where the process that took over before was killed amid it', async () => {
    writeForeignLock(61)
    const stale = Date.now() / 1000 - 61
    writeFileSync(`${path()}.x`, JSON.stringify({ token: 'y', pid: 2, host: 'elsewhere' }))
    utimesSync(`${path()}.x`, stale, stale)
    await (await FileLock.acquire(nodeFileSystem, path())).release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('is lost when another process took it over, and then leaves that one its lock', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const lock = await FileLock.acquire(nodeFileSystem, path())
    expect(lock.lost).toBe(false)
    writeForeignLock(0)
    vi.advanceTimersByTime(10_000)
    await vi.waitFor(() => expect(lock.lost).toBe(true))
    await lock.release()
    expect(readFileSync(path(), 'utf8')).toContain('elsewhere')
  })

  it('comes back when someone deletes it', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const lock = await FileLock.acquire(nodeFileSystem, path())
    rmSync(path())
    vi.advanceTimersByTime(10_000)
    await vi.waitFor(() => expect(readFileSync(path(), 'utf8')).toContain(`"pid":${process.pid}`))
    await expect(FileLock.acquire(nodeFileSystem, path())).rejects.toThrow(LockedError)
    await lock.release()
  })

  it('shows a sign of life every ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const lock = await FileLock.acquire(nodeFileSystem, path())
    utimesSync(path(), 1, 1)
    vi.advanceTimersByTime(10_000)
    await vi.waitFor(async () => {
      expect((await nodeFileSystem.stat(path())).mtimeMs).toBeGreaterThan(Date.now() - 60_000)
    })
    await lock.release()
  })
})
