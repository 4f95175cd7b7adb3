import type { SimulatedDisk } from '@agentic-hooks/durable-files/testing'
import {
  type Ledger,
  type PowerFailure,
  powerFailures,
  seededRandom,
  type Workload,
} from '@agentic-hooks/durable-files/testing'
import {
  batchOf,
  decodeLine,
  type EventBatch,
  type ExportOptions,
  type ExportResult,
} from '@agentic-hooks/events'
import { SinkExporter, sampleRecord } from '@agentic-hooks/events/testing'
import { describe, expect, it, vi } from 'vitest'
import { decodeFrames } from '../src/storage/spool/frames.ts'
import { Spool } from '../src/storage/spool/spool.ts'

const DIRECTORY = '/data/spool/sink'
const never = new AbortController().signal

/** Stores for good what it stores, and takes no poison. */
class LedgerSink extends SinkExporter {
  readonly #ledger: Ledger

  constructor(ledger: Ledger) {
    super()
    this.#ledger = ledger
    this.fail()
  }

  override async export(batch: EventBatch, options: ExportOptions): Promise<ExportResult> {
    const result = await super.export(batch, options)
    const rejected = new Set(result.rejected.map(({ eventId }) => eventId))
    for (const { eventId } of batch.events) if (!rejected.has(eventId)) this.#ledger.storedElsewhere(eventId)
    return result
  }
}

function newSpool(sink: SinkExporter, fileSystem: SimulatedDisk): Spool {
  const logger = { info() {}, warn() {} }
  return new Spool(sink, { directory: DIRECTORY, fileSystem, logger, maxRetryMillis: 5 })
}

/** Two batches for an exporter that is down, which then takes all but one event, and two more. */
const fromNothing: Workload = async (disk, ledger) => {
  const sink = new LedgerSink(ledger)
  const spool = newSpool(sink, disk)
  await spool.start()
  const send = async (eventType: string) => {
    const record = sampleRecord({ eventType })
    await spool.export(batchOf([record]), { signal: never })
    ledger.acknowledged(record.eventId)
  }
  await send('good')
  await send('poison')
  sink.recover()
  sink.reject(({ eventType }) => (eventType === 'poison' ? 'no poison' : null))
  await drained(spool)
  sink.fail()
  await send('good')
  await send('good')
  await spool.shutdown()
}

/** A process before us made the folders and was killed before it synced any of them. */
const afterKill: Workload = async (disk, ledger) => {
  await disk.mkdir(DIRECTORY, { recursive: true })
  await fromNothing(disk, ledger)
}

const drained = (spool: Spool) =>
  vi.waitFor(() => expect(spool.status.events).toBe(0), { interval: 1, timeout: 5_000 })

function spooledIds(image: SimulatedDisk): string[] {
  const segments = image.paths().filter((path) => path.endsWith('.spool'))
  const batches = segments.flatMap((path) => decodeFrames(image.content(path)).batches)
  return batches.flatMap(({ events }) => events.map(({ eventId }) => eventId))
}

function rejectedIds(image: SimulatedDisk): string[] {
  const path = `${DIRECTORY}/rejected.jsonl`
  const lines = image.paths().includes(path) ? image.content(path).toString().split('\n') : []
  return lines.flatMap((line) => {
    try {
      return [decodeLine(line).eventId]
    } catch {
      return [] // It is torn.
    }
  })
}

function hasLoss({ image, expected }: PowerFailure): boolean {
  const kept = new Set([...spooledIds(image), ...rejectedIds(image)])
  return [...expected].some((eventId) => !kept.has(eventId))
}

describe.each([
  ['from nothing', fromNothing],
  ['after a process that was killed', afterKill],
])('when the power fails while the spool fills and drains, %s', (_, workload) => {
  it('loses no acknowledged event at any moment', async () => {
    const { failures } = await powerFailures(workload, { random: seededRandom(1) })
    expect(failures.length).toBeGreaterThan(100)
    expect(failures.filter(hasLoss)).toEqual([])
  })

  it('starts again from whatever is found, and stores every acknowledged event', async () => {
    const { failures } = await powerFailures(workload, { random: seededRandom(2) })
    for (const { image, expected } of failures) {
      // Its holder ended with the power; here it is this very process.
      await image.unlink(`${DIRECTORY}.lock`).catch(() => {})
      const sink = new SinkExporter()
      const spool = newSpool(sink, image)
      await spool.start()
      await drained(spool)
      const found = [...sink.records.map(({ eventId }) => eventId), ...rejectedIds(image)]
      for (const eventId of expected) expect(found).toContain(eventId)
      await spool.shutdown()
    }
  })

  it('would lose one without any single sync call', async () => {
    const { syncs } = await powerFailures(workload)
    expect(new Set(syncs)).toContain(`${DIRECTORY}/rejected.jsonl`)
    for (const [ignoredSync, path] of syncs.entries()) {
      let isNeeded = false
      // Of what reached the disk by chance, some loses nothing.
      for (let seed = 1; seed <= 5 && !isNeeded; seed++) {
        const { failures } = await powerFailures(workload, { ignoredSync, random: seededRandom(seed) })
        isNeeded = failures.some(hasLoss)
      }
      expect(isNeeded, `sync ${ignoredSync}, of ${path}, is needed`).toBe(true)
    }
  })
})
