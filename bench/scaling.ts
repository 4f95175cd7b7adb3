import { type BenchOptions, medianRow, type Row } from './harness.ts'
import { measureReceiver } from './measure.ts'
import { postgresStorage } from './storage.ts'

export const question =
  'How do throughput, cost and memory grow with the number of agents and the size of batches?'

const CONNECTIONS = [10, 100, 1_000, 5_000]
/** As the client of an agent sends them. */
const RECORDS_PER_AGENT = 10
/** Of the variants that differ in the size of batches. */
export const SIZES_CONNECTIONS = 20
const RECORDS = [1, 10, 50, 200, 512, 2_000]

export async function run({ runs = 1, durationMillis = 5_000 }: BenchOptions = {}): Promise<readonly Row[]> {
  const variants = [
    ...CONNECTIONS.map((connections) => ({ connections, records: RECORDS_PER_AGENT })),
    ...RECORDS.map((records) => ({ connections: SIZES_CONNECTIONS, records })),
  ]
  const storage = await postgresStorage()
  const rows = variants.map((): Row[] => [])
  try {
    for (let run = 0; run < runs; run++) {
      for (const [index, variant] of variants.entries()) {
        rows[index]!.push(await measureReceiver(storage, { ...variant, durationMillis }))
        await storage.clear()
      }
    }
  } finally {
    await storage.stop()
  }
  return variants.map((variant, index) => ({ ...variant, ...medianRow(rows[index]!), report: undefined }))
}
