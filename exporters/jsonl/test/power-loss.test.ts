import type { SimulatedDisk } from '@agentic-hooks/durable-files/testing'
import {
  type PowerFailure,
  powerFailures,
  seededRandom,
  type Workload,
} from '@agentic-hooks/durable-files/testing'
import { batchOf, decodeLine, queryEvents } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { describe, expect, it } from 'vitest'
import { createExporter } from '../src/index.ts'

const PATH = '/data/analytics/events.jsonl'
const never = new AbortController().signal
const logger = { info() {}, warn() {} }

/** Into new folders, with rotations in between. */
const fromNothing: Workload = async (disk, ledger) => {
  const exporter = createExporter({ path: PATH, maxFileBytes: 1500, fileSystem: disk }, { logger })
  await exporter.start()
  for (let index = 0; index < 6; index++) {
    const records = sampleRecords(2)
    await exporter.export(batchOf(records), { signal: never })
    for (const { eventId } of records) ledger.acknowledged(eventId)
  }
  await exporter.shutdown()
}

/** A process before us made the folders and the file and was killed before it synced any of them. */
const afterKill: Workload = async (disk, ledger) => {
  await disk.mkdir('/data/analytics', { recursive: true })
  await disk.open(PATH, 'a')
  await fromNothing(disk, ledger)
}

function storedIds(image: SimulatedDisk): Set<string> {
  const ids = new Set<string>()
  for (const path of image.paths().filter((path) => path.endsWith('.jsonl'))) {
    for (const line of image.content(path).toString().split('\n')) {
      try {
        ids.add(decodeLine(line).eventId)
      } catch {
        // A torn line.
      }
    }
  }
  return ids
}

function hasLoss({ image, expected }: PowerFailure): boolean {
  const stored = storedIds(image)
  return [...expected].some((eventId) => !stored.has(eventId))
}

describe.each([
  ['from nothing', fromNothing],
  ['after a process that was killed', afterKill],
])('when the power fails during writing %s', (_, workload) => {
  it('loses no acknowledged event at any moment', async () => {
    const { failures } = await powerFailures(workload, { random: seededRandom(1) })
    expect(failures.length).toBeGreaterThan(200)
    expect(failures.filter(hasLoss)).toEqual([])
  })

  it('starts again from whatever is found, with whole lines only', async () => {
    const { failures } = await powerFailures(workload, { random: seededRandom(2) })
    for (const { image, expected } of failures) {
      // Its holder ended with the power; here it is this very process.
      await image.unlink(`${PATH}.lock`).catch(() => {})
      const exporter = createExporter({ path: PATH, maxFileBytes: 1500, fileSystem: image }, { logger })
      await exporter.start()
      const records = sampleRecords(1)
      await exporter.export(batchOf(records), { signal: never })
      const found = new Set<string>()
      for await (const { eventId } of queryEvents(exporter, {})) found.add(eventId)
      for (const eventId of [...expected, records[0]!.eventId]) expect(found).toContain(eventId)
      await exporter.shutdown()
    }
  })

  it('would lose one without any single sync call', async () => {
    const { syncs } = await powerFailures(workload)
    expect(new Set(syncs)).toEqual(new Set(['/', '/data', '/data/analytics', PATH]))
    for (const [ignoredSync, path] of syncs.entries()) {
      const { failures } = await powerFailures(workload, { ignoredSync, random: seededRandom(3) })
      expect(failures.some(hasLoss), `sync ${ignoredSync}, of ${path}, is needed`).toBe(true)
    }
  })
})
