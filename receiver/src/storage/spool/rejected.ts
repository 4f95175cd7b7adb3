import { join } from 'node:path'
import {
  batchOf,
  decodeLine,
  type EventBatch,
  type EventData,
  type EventRecord,
  jsonBytes,
  parseJson,
} from '@agentic-hooks/events'
import { FILE_MODE, type FileSystem, hasCode, readLines, writeAll } from '@agentic-hooks/exporter-jsonl'

/** JSON lines, which `import` reads like any other. */
export const REJECTED_FILE = 'rejected.jsonl'
export const REASON_ATTRIBUTE = 'agentic_hooks.rejected_reason'
/** What is being restored, so that what is rejected meanwhile begins a new file. */
const RESTORING_FILE = `${REJECTED_FILE}.restoring`
const UNREADABLE_FILE = `${REJECTED_FILE}.unreadable`
const BATCH_EVENTS = 1_000
const BATCH_BYTES = 2 ** 20

export interface TakenRejected {
  readonly events: number
  readonly bytes: number
  readonly unreadableLines: number
}

export function isReadByRestore(name: string): boolean {
  return name === REJECTED_FILE || name === RESTORING_FILE
}

/**
 * Hands over the rejected events of a directory, as they were before they were rejected, in batches, and deletes their
 * file once `keep` has made all of them durable elsewhere. An attempt that was interrupted is gone on with.
 */
export async function takeRejected(
  fileSystem: FileSystem,
  directory: string,
  keep: (batch: EventBatch) => Promise<void>,
): Promise<TakenRejected> {
  const [rejected, restoring] = [join(directory, REJECTED_FILE), join(directory, RESTORING_FILE)]
  const total = { events: 0, bytes: 0, unreadableLines: 0 }
  // First what an interrupted attempt has left.
  for (const isLeft of [true, false]) {
    if (!isLeft && !(await renameIfThere(fileSystem, rejected, restoring))) break
    const taken = await takeFile(fileSystem, directory, keep)
    total.events += taken.events
    total.bytes += taken.bytes
    total.unreadableLines += taken.unreadableLines
  }
  return total
}

async function renameIfThere(fileSystem: FileSystem, from: string, to: string): Promise<boolean> {
  try {
    await fileSystem.rename(from, to)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

async function takeFile(
  fileSystem: FileSystem,
  directory: string,
  keep: (batch: EventBatch) => Promise<void>,
): Promise<TakenRejected> {
  const path = join(directory, RESTORING_FILE)
  const file = await fileSystem.open(path, 'r').catch((error) => {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  })
  if (!file) return { events: 0, bytes: 0, unreadableLines: 0 }
  let events: EventRecord[] = []
  let [count, bytes, sinceBytes] = [0, 0, 0]
  const unreadable: Buffer[] = []
  const flush = async () => {
    if (events.length > 0) await keep(batchOf(events))
    count += events.length
    events = []
    sinceBytes = 0
  }
  try {
    for await (const line of readLines(file, { unended: true })) {
      bytes = line.end
      sinceBytes += line.bytes.byteLength
      try {
        events.push(withoutReason(decodeLine(line.bytes.toString())))
      } catch {
        if (line.bytes.toString().trim()) unreadable.push(Buffer.from(line.bytes), Buffer.from('\n'))
      }
      if (events.length >= BATCH_EVENTS || sinceBytes >= BATCH_BYTES) await flush()
    }
    await flush()
  } finally {
    await file.close()
  }
  if (unreadable.length > 0) await append(fileSystem, join(directory, UNREADABLE_FILE), unreadable)
  await fileSystem.unlink(path)
  return { events: count, bytes, unreadableLines: unreadable.length / 2 }
}

async function append(fileSystem: FileSystem, path: string, buffers: readonly Buffer[]): Promise<void> {
  const file = await fileSystem.open(path, 'a', FILE_MODE)
  try {
    await writeAll(file, buffers)
    await file.datasync()
  } finally {
    await file.close()
  }
}

function withoutReason(event: EventRecord): EventRecord {
  if (!event.attributes) return event
  const { [REASON_ATTRIBUTE]: _, ...attributes } = parseJson(
    Buffer.from(event.attributes).toString(),
  ) as EventData
  return { ...event, attributes: Object.keys(attributes).length > 0 ? jsonBytes(attributes) : null }
}
