import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FaultyFileSystem } from '@agentic-hooks/durable-files/testing'
import { decodeLine, type ExporterContext } from '@agentic-hooks/events'
import { type ExporterHarness, exporterConformance, readerConformance } from '@agentic-hooks/events/testing'
import { describe, it } from 'vitest'
import { createExporter } from '../src/index.ts'

function harness(options: object, failing: FaultyFileSystem['failing']) {
  let directory = ''
  let fileSystem = new FaultyFileSystem()
  const path = () => join(directory, 'not', 'there', 'events.jsonl')
  return {
    async create(context: ExporterContext) {
      directory = await mkdtemp(join(tmpdir(), 'exporter-jsonl-'))
      fileSystem = new FaultyFileSystem()
      fileSystem.failing = failing
      return createExporter({ path: path(), fileSystem, ...options }, context)
    },
    async read() {
      const text = await readFile(path(), 'utf8').catch(() => '')
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => decodeLine(line))
    },
    outage: {
      begin: async () => fileSystem.fill(),
      end: async () => {
        fileSystem.failure = null
      },
    },
    close: () => rm(directory, { recursive: true }),
  } satisfies ExporterHarness
}

describe('the JSONL exporter', () => {
  for (const { name, run } of exporterConformance(harness({}, 'writev'))) it(name, run)
})

describe('the JSONL exporter whose sync fails', () => {
  for (const { name, run } of exporterConformance(harness({}, 'datasync'))) it(name, run)
})

describe('the JSONL exporter with a small queue', () => {
  const small = harness({ maxQueuedBytes: 2 ** 20, maxGroupBytes: 1000, maxFileBytes: 2 ** 40 }, 'writev')
  for (const { name, run } of exporterConformance(small)) it(name, run)
})

describe('the reader of the JSONL exporter', () => {
  for (const { name, run } of readerConformance(harness({ maxFileBytes: 10_000 }, 'writev'))) it(name, run)
})
