import { batchOf } from '@agentic-hooks/events'
import { SinkExporter, sampleRecords } from '@agentic-hooks/events/testing'
import { Spool } from '../src/storage/spool/spool.ts'

/*
 * A process that tests kill: spools batches in the directory of its first argument, for an exporter that is
 * down, and tells its parent the ids of each once they are acknowledged.
 */
const exporter = new SinkExporter()
exporter.fail()
const spool = new Spool(exporter, { directory: process.argv[2]!, logger: { info() {}, warn() {} } })
const { signal } = new AbortController()

async function client(): Promise<void> {
  for (;;) {
    const records = sampleRecords(10)
    await spool.export(batchOf(records), { signal })
    process.send?.(records.map(({ eventId }) => eventId))
  }
}

await spool.start()
await Promise.all([client(), client(), client(), client()])
