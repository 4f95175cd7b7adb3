import type { ExporterContext } from '@agentic-hooks/events'
import {
  type ExporterHarness,
  exporterConformance,
  readerConformance,
  sampleRecord,
} from '@agentic-hooks/events/testing'
import { type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { storedEvents } from '@agentic-hooks/testing/stored-events'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { createExporter } from '../src/index.ts'
import { emptyDatabase } from './exporters.ts'

describe.each([15, 18] as const)('the exporter on PostgreSQL %i', (version) => {
  let server: PostgresServer
  let databaseUrl: string

  beforeAll(async () => {
    server = await startPostgres({ version })
    databaseUrl = await server.createDatabase()
  })
  afterAll(() => server?.stop())

  const harness = {
    async create(context: ExporterContext) {
      await emptyDatabase(databaseUrl)
      return createExporter({ databaseUrl }, context)
    },
    read: () => storedEvents(databaseUrl),
    outage: { begin: () => server.kill(), end: () => server.start() },
    poison: sampleRecord({ data: Buffer.from('{"no":JSON}') }),
  } satisfies ExporterHarness
  for (const { name, run } of exporterConformance(harness)) it(name, run)

  describe('as a reader', () => {
    for (const { name, run } of readerConformance(harness)) it(name, run)
  })
})
