import { join } from 'node:path'
import { type ExporterContext, isEventReader } from '@agentic-hooks/events'
import { exporterConformance, readerConformance } from '@agentic-hooks/events/testing'
import { loadExporter } from '../../src/storage/load.ts'
import { readAcmeFile } from './acme.ts'

/*
 * Loads acme-exporter by its name from the working directory, puts it through the conformance suite and prints
 * a JSON object of each case's name and its error, or null. A script of its own: vitest replaces import().
 */

let path: string
let stores = 0

const create = (context: ExporterContext) => {
  path = join(process.cwd(), `events-${stores++}`)
  return loadExporter({ package: 'acme-exporter', options: { path } }, context)
}

const createReader = async (context: ExporterContext) => {
  const exporter = await create(context)
  if (!isEventReader(exporter)) throw new Error('acme-exporter answers no questions')
  return exporter
}

const cases = [
  ...exporterConformance({ create, read: () => readAcmeFile(path) }),
  ...readerConformance({ create: createReader }),
]

const results: Record<string, string | null> = {}
for (const { name, run } of cases) {
  results[name] = await run().then(
    () => null,
    (error: Error) => error.message,
  )
}
process.stdout.write(JSON.stringify(results))
