import { readFileSync, writeFileSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { batchOf, decodeLine } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { createExporter } from '../src/index.ts'

/*
 * Runs on a small file system of its own, the folder of its first argument: fills it, makes room and goes on.
 * Prints what happened as JSON.
 */
const directory = process.argv[2]!
const path = join(directory, 'events.jsonl')
const ballast = join(directory, 'ballast')
writeFileSync(ballast, Buffer.alloc(65_536))
const exporter = createExporter({ path }, { logger: { info() {}, warn() {} } })
await exporter.start()

let acknowledged = 0
async function write(): Promise<void> {
  const result = await exporter.export(batchOf(sampleRecords(20)), { signal: new AbortController().signal })
  acknowledged += result.stored
}

/** What went wrong, or `well`. */
const outcome = (promise: Promise<void>) =>
  promise.then(
    () => 'well',
    (error) => String(error),
  )

let error = 'well'
while (error === 'well') error = await outcome(write())
// A smaller write may still fit where the group did not.
writeFileSync(join(directory, 'rest'), '')
try {
  for (;;) writeFileSync(join(directory, 'rest'), Buffer.alloc(4096), { flag: 'a' })
} catch {
  // Now it is full to the last block.
}
const health = await outcome(exporter.health())
await unlink(ballast)
const healthAfter = await outcome(exporter.health())
await write()
await exporter.shutdown()
const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
const stored = new Set(lines.map((line) => decodeLine(line).eventId)).size
console.log(JSON.stringify({ error, health, healthAfter, stored, acknowledged }))
