import { join } from 'node:path'
import {
  FILE_MODE,
  type FileSystem,
  hasCode,
  readLines,
  readRange,
  syncDirectory,
  writeAll,
} from '@agentic-hooks/durable-files'
import {
  batchOf,
  decodeLine,
  type EventBatch,
  type EventData,
  type EventRecord,
  encodeLines,
  jsonBytes,
  parseJson,
} from '@agentic-hooks/events'

/** JSON lines, which `import` reads like any other. */
const REJECTED_FILE = 'rejected.jsonl'
const REASON_ATTRIBUTE = 'agentic_hooks.rejected_reason'
/** What is being restored, so that what is rejected meanwhile begins a new file. */
const RESTORING_FILE = `${REJECTED_FILE}.restoring`
const UNREADABLE_FILE = `${REJECTED_FILE}.unreadable`
const BATCH_EVENTS = 1_000
const BATCH_BYTES = 2 ** 20

const NEWLINE = 10

export interface TakenRejected {
  readonly events: number
  readonly unreadableLines: number
}

/** The acknowledged events of a spool that its exporter refused for good. */
export class RejectedEvents {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  #bytes = 0
  /** Resolves when the files are not being written to. */
  #areFree: Promise<unknown> = Promise.resolve()

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
  }

  /** What their files take of the disk. */
  get bytes(): number {
    return this.#bytes
  }

  /** Counts a file that was there before. False when it is none of these. */
  found(name: string, byteLength: number): boolean {
    if (name !== REJECTED_FILE && name !== RESTORING_FILE) return false
    this.#bytes += byteLength
    return true
  }

  /** Resolves with the path of their file once they are durable in it, each with the reason. */
  add(events: readonly EventRecord[], reason: string): Promise<string> {
    return this.#inTurn(async () => {
      const path = join(this.#directory, REJECTED_FILE)
      this.#bytes += await this.#append(path, encodeLines(events.map((event) => withReason(event, reason))))
      await syncDirectory(this.#fileSystem, this.#directory)
      return path
    })
  }

  /**
   * Hands over all of them, as they were before they were rejected, in batches, and deletes their file once `keep` has
   * made them durable elsewhere. An attempt that was interrupted is gone on with.
   */
  take(keep: (batch: EventBatch) => Promise<void>): Promise<TakenRejected> {
    return this.#inTurn(async () => {
      const [rejected, restoring] = [REJECTED_FILE, RESTORING_FILE].map((name) => join(this.#directory, name))
      const total = { events: 0, unreadableLines: 0 }
      // First what an interrupted attempt has left.
      for (const isLeft of [true, false]) {
        if (!isLeft && !(await renameIfThere(this.#fileSystem, rejected!, restoring!))) break
        const taken = await this.#takeFile(restoring!, keep)
        total.events += taken.events
        total.unreadableLines += taken.unreadableLines
      }
      return total
    })
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#areFree
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#areFree.then(act)
    this.#areFree = done.catch(() => {})
    return done
  }

  async #takeFile(path: string, keep: (batch: EventBatch) => Promise<void>): Promise<TakenRejected> {
    const file = await this.#fileSystem.open(path, 'r').catch((error) => {
      if (hasCode(error, 'ENOENT')) return null
      throw error
    })
    if (!file) return { events: 0, unreadableLines: 0 }
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
          if (line.bytes.toString().trim()) unreadable.push(Buffer.from(line.bytes), Buffer.of(NEWLINE))
        }
        if (events.length >= BATCH_EVENTS || sinceBytes >= BATCH_BYTES) await flush()
      }
      await flush()
    } finally {
      await file.close()
    }
    if (unreadable.length > 0)
      await this.#append(join(this.#directory, UNREADABLE_FILE), Buffer.concat(unreadable))
    await this.#fileSystem.unlink(path)
    this.#bytes -= bytes
    return { events: count, unreadableLines: unreadable.length / 2 }
  }

  /** Whole lines or none: half a line would spoil the one behind it. Returns how many bytes were written. */
  async #append(path: string, lines: Buffer): Promise<number> {
    const file = await this.#fileSystem.open(path, 'a+', FILE_MODE)
    try {
      const { size } = await file.stat()
      const last = size > 0 ? (await readRange(file, size - 1, size))[0] : NEWLINE
      const bytes = last === NEWLINE ? [lines] : [Buffer.of(NEWLINE), lines]
      try {
        await writeAll(file, bytes)
        await file.datasync()
      } catch (error) {
        await file.truncate(size).catch(() => {})
        throw error
      }
      return bytes.reduce((sum, { byteLength }) => sum + byteLength, 0)
    } finally {
      await file.close()
    }
  }
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

function withReason(event: EventRecord, reason: string): EventRecord {
  const attributes = event.attributes ? parseJson(Buffer.from(event.attributes).toString()) : {}
  return { ...event, attributes: jsonBytes({ ...(attributes as object), [REASON_ATTRIBUTE]: reason }) }
}

function withoutReason(event: EventRecord): EventRecord {
  if (!event.attributes) return event
  const { [REASON_ATTRIBUTE]: _, ...attributes } = parseJson(
    Buffer.from(event.attributes).toString(),
  ) as EventData
  return { ...event, attributes: Object.keys(attributes).length > 0 ? jsonBytes(attributes) : null }
}
