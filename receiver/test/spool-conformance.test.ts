import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FaultyFileSystem } from '@agentic-hooks/durable-files/testing'
import type { EventRecord } from '@agentic-hooks/events'
import {
  type ExporterHarness,
  exporterConformance,
  SinkExporter,
  sampleRecord,
} from '@agentic-hooks/events/testing'
import { describe, it } from 'vitest'
import { decodeFrames } from '../src/storage/spool/frames.ts'
import { Spool } from '../src/storage/spool/spool.ts'

/** A sink that promises no more than to store at least once, because the spool cannot count duplicates. */
class CarelessSink extends SinkExporter {
  override readonly idempotent = false
}

/** What is in the sink, and what is on its way to it. */
async function readBoth(sink: SinkExporter, directory: string): Promise<EventRecord[]> {
  const records = new Map<string, EventRecord>()
  for (const name of await readdir(directory)) {
    if (!name.endsWith('.spool')) continue
    // It may be gone, into the sink, since the directory was read.
    const bytes = await readFile(join(directory, name)).catch(() => Buffer.alloc(0))
    for (const { events } of decodeFrames(bytes).batches) {
      for (const event of events) records.set(event.eventId, event)
    }
  }
  for (const event of sink.records) records.set(event.eventId, event)
  return [...records.values()]
}

function harness(
  newSink: () => SinkExporter,
  endOutage = (sink: SinkExporter) => sink.recover(),
): ExporterHarness {
  let sink = newSink()
  let directory = ''
  let fileSystem = new FaultyFileSystem()
  return {
    async create() {
      sink = newSink()
      directory = await mkdtemp(join(tmpdir(), 'spool-conformance-'))
      fileSystem = new FaultyFileSystem()
      return new Spool(sink, {
        directory: join(directory, 'sink'),
        fileSystem,
        logger: { info() {}, warn() {} },
        maxRetryMillis: 20,
      })
    },
    read: () => readBoth(sink, join(directory, 'sink')).catch(() => []),
    poison: sampleRecord({ eventType: 'poison' }),
    outage: {
      async begin() {
        sink.fail()
        fileSystem.fill()
      },
      async end() {
        endOutage(sink)
        fileSystem.failure = null
      },
    },
    close: () => rm(directory, { recursive: true }),
  }
}

function rejectPoison(sink: SinkExporter): SinkExporter {
  sink.reject(({ eventType }) => (eventType === 'poison' ? 'no poison' : null))
  return sink
}

describe('a spool before an exporter that works', () => {
  for (const { name, run } of exporterConformance(harness(() => rejectPoison(new SinkExporter()))))
    it(name, run)
})

describe('a spool before an exporter that is down', () => {
  const down = () => {
    const sink = new CarelessSink()
    sink.fail()
    return sink
  }
  // What is poison, only the exporter could tell.
  const { poison: _, ...spooling } = harness(down, () => {})
  for (const { name, run } of exporterConformance(spooling)) it(name, run)
})
