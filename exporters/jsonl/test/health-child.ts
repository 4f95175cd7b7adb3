import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { batchOf } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { createExporter } from '../src/index.ts'

/*
 * Runs on a small file system of its own, the folder of its first argument, does to it what the second one names, and
 * takes it back. Prints as JSON how the exporter felt before, during and after.
 */
const [, , directory = '', fault] = process.argv
const path = join(directory, 'events.jsonl')
const ballast = join(directory, 'ballast')
const exporter = createExporter({ path }, { logger: { info() {}, warn() {} } })
await exporter.start()

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => 'well',
    (error) => String(error),
  )
const write = () => exporter.export(batchOf(sampleRecords(1)), { signal: new AbortController().signal })

function begin(): void {
  if (fault === 'little room') {
    const { bavail, bsize } = statfsSync(directory)
    writeFileSync(ballast, Buffer.alloc(bavail * bsize - 16_384))
  } else {
    // Another program made it anew, for itself alone; to root too a file on a read-only mount is closed.
    renameSync(path, `${path}.1`)
    writeFileSync(path, '')
    execFileSync('mount', ['--bind', path, path])
    execFileSync('mount', ['-o', 'remount,bind,ro', path])
  }
}

function end(): void {
  if (fault === 'little room') rmSync(ballast)
  else execFileSync('umount', [path])
}

await write()
const before = await outcome(exporter.health())
begin()
const during = await outcome(exporter.health())
end()
const after = await outcome(exporter.health())
await write()
await exporter.shutdown()
const files = fault === 'little room' ? [path] : [`${path}.1`, path]
const stored = String(files.flatMap((file) => readFileSync(file, 'utf8').trim().split('\n')).length)
console.log(JSON.stringify({ before, during, after, stored }))
