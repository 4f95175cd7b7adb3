import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batchOf, type EventBatch, encodeLines, jsonBytes, uuidv7 } from '@agentic-hooks/events'
import { sampleRecord } from '@agentic-hooks/events/testing'
import { createExporter } from '@agentic-hooks/exporter-jsonl'
import { type BenchOptions, formatTable, interleaved, medianRows, type Row, shareOf } from './harness.ts'

export const question = 'What does durable JSONL cost beside a plain writer that syncs as often?'

const BATCH_EVENTS = 512
/** Requests that wait for an answer at the same time. */
const CLIENTS = 16
/** Neither side keeps more than two of these. */
const MAX_FILE_BYTES = 2 ** 28
const PLAIN_WRITER = 'plain writer that makes the lines'

export async function run({ runs = 5, durationMillis = 4_000 }: BenchOptions): Promise<Row[]> {
  const batches = Array.from({ length: 2 * CLIENTS }, makeBatch)
  const encoded = batches.map(({ events }) => encodeLines(events))
  const variants: Record<string, () => Promise<Row>> = {
    'plain writer, lines made before': () =>
      measurePlainWriter(durationMillis, (index) => encoded[index % encoded.length]!),
    [PLAIN_WRITER]: () =>
      measurePlainWriter(durationMillis, (index) => encodeLines(batches[index % batches.length]!.events)),
    'JSONL exporter': () => measureExporter(durationMillis, batches),
  }
  const measurements = await interleaved(variants, runs)
  return medianRows(measurements).map((row) => ({
    ...row,
    'of plain writer': shareOf(measurements[String(row.variant)]!, measurements[PLAIN_WRITER]!),
  }))
}

/** Events of about 575 bytes a line, of several agents. */
function makeBatch(): EventBatch {
  const data = {
    tool_name: 'Bash',
    tool_use_id: 'toolu_01A09q90qw90lq917835lq9',
    tool_input: { command: 'npm test -- --run', description: 'x'.repeat(150) },
    cwd: '/home/user/project',
  }
  const sessionIds = Array.from({ length: 16 }, () => crypto.randomUUID())
  const events = Array.from({ length: BATCH_EVENTS }, (_, index) =>
    sampleRecord({
      // One piece, as a decoded id is; uuidv7 leaves it to the first reader to join the parts.
      eventId: Buffer.from(uuidv7()).toString(),
      sessionId: sessionIds[index % 16]!,
      data: jsonBytes(data),
      timestampMicros: 1_795_361_760_000_000 + index,
    }),
  )
  return batchOf(events)
}

/** As many batches in one write and one fdatasync as the exporter has waiting when all clients are busy. */
function measurePlainWriter(durationMillis: number, lines: (index: number) => Buffer): Promise<Row> {
  return inFolder(async (folder) => {
    let file = await open(join(folder, 'plain.jsonl'), 'a')
    let fileBytes = 0
    let batches = 0
    const row = await measured(durationMillis, async (isOver) => {
      while (!isOver()) {
        const group = Array.from({ length: CLIENTS }, () => lines(batches++))
        fileBytes += group.reduce((sum, { byteLength }) => sum + byteLength, 0)
        await file.writev(group)
        await file.datasync()
        if (fileBytes < MAX_FILE_BYTES) continue
        await file.close()
        rmSync(join(folder, 'plain.jsonl'))
        file = await open(join(folder, 'plain.jsonl'), 'a')
        fileBytes = 0
      }
      return batches
    })
    await file.close()
    return row
  })
}

function measureExporter(durationMillis: number, batches: readonly EventBatch[]): Promise<Row> {
  return inFolder(async (folder) => {
    const path = join(folder, 'events.jsonl')
    const exporter = createExporter({ path, maxFileBytes: MAX_FILE_BYTES, maxFiles: 2 })
    await exporter.start()
    const { signal } = new AbortController()
    let exported = 0
    const row = await measured(durationMillis, async (isOver) => {
      const client = async () => {
        while (!isOver()) await exporter.export(batches[exported++ % batches.length]!, { signal })
      }
      await Promise.all(Array.from({ length: CLIENTS }, client))
      return exported
    })
    await exporter.shutdown()
    return row
  })
}

async function measured(
  durationMillis: number,
  drive: (isOver: () => boolean) => Promise<number>,
): Promise<Row> {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const batches = await drive(() => performance.now() - startedAt > durationMillis)
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const events = batches * BATCH_EVENTS
  return { 'events/s': events / seconds, 'CPU-s per million events': (user + system) / events }
}

async function inFolder(work: (folder: string) => Promise<Row>): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-jsonl-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (import.meta.main) console.log(formatTable(await run({})))
