import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batchOf, decodeLine } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createExporter } from '../src/index.ts'
import { startWriter } from './processes.ts'

let directory = ''
let path = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'exporter-jsonl-crash-'))
  path = join(directory, 'events.jsonl')
})

afterEach(() => rmSync(directory, { recursive: true }))

describe('a writer that is killed', () => {
  it('has stored every event that it acknowledged, and the next one goes on behind whole lines', async () => {
    const acknowledged = new Set<string>()
    for (let round = 0; round < 3; round++) {
      const writer = startWriter(path)
      await writer.waitFor(() => writer.told.length > 20 * (round + 1))
      await writer.kill()
      for (const told of writer.told) for (const eventId of told.acknowledged ?? []) acknowledged.add(eventId)
    }
    const last = createExporter({ path }, { logger: { info() {}, warn() {} } })
    await last.start()
    await last.export(batchOf(sampleRecords(1)), { signal: new AbortController().signal })
    await last.shutdown()
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    const stored = new Set(lines.map((line) => decodeLine(line).eventId))
    expect(acknowledged.size).toBeGreaterThan(1000)
    expect([...acknowledged].filter((eventId) => !stored.has(eventId))).toEqual([])
  })
})

const canMount = process.platform === 'linux' && spawnSync('unshare', ['-rm', 'true']).status === 0
if (!canMount)
  console.warn(
    'a full disk is only simulated here: the real one needs Linux with user namespaces (unshare -rm)',
  )

describe.runIf(canMount)('a disk that is really full', () => {
  it('refuses batches, keeps whole lines and goes on when there is room again', () => {
    const script = `mount -t tmpfs -o size=256k none "$1" && exec "$2" -C @agentic-hooks/source "$3" "$1"`
    const child = join(import.meta.dirname, 'full-disk-child.ts')
    const output = execFileSync(
      'unshare',
      ['-rm', 'sh', '-c', script, 'sh', directory, process.execPath, child],
      {
        encoding: 'utf8',
      },
    )
    const { error, health, healthAfter, stored, acknowledged } = JSON.parse(output)
    expect(error).toMatch(/ENOSPC/)
    expect(health).toMatch(/ENOSPC/)
    expect(healthAfter).toBe('well')
    expect(acknowledged).toBeGreaterThan(10)
    expect(stored).toBe(acknowledged)
  })
})
