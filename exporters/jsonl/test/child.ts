import { batchOf } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { createExporter } from '../src/index.ts'

/*
 * A process that tests kill: writes batches to the path of its first argument, four at a time, and tells its
 * parent the ids of each once they are acknowledged. A second argument is the number of batches after which
 * it stops; errors are told too.
 */
const [path, batches = 'Infinity'] = process.argv.slice(2)
const tell = (message: object) => process.send?.(message)
const exporter = createExporter({ path }, { logger: { info() {}, warn() {} } })
const { signal } = new AbortController()
let left = Number(batches)

async function client(): Promise<void> {
  while (left-- > 0) {
    const records = sampleRecords(20)
    await exporter.export(batchOf(records), { signal })
    tell({ acknowledged: records.map(({ eventId }) => eventId) })
  }
}

try {
  await exporter.start()
  tell({ started: true })
  await Promise.all([client(), client(), client(), client()])
  if (batches !== '0') await exporter.shutdown()
  else setInterval(() => {}, 1000) // Only holds the lock.
} catch (error) {
  tell({ error: String(error) })
}
