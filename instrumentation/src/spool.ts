import { mkdirSync, renameSync, utimesSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { decodeLine, encodeLines, uuidv7 } from '@agentic-hooks/events'
import { diag } from '@opentelemetry/api'
import { outsideOfScopes } from './ambient.ts'
import type { ClientConfig } from './config.ts'
import type { DropLog } from './drops.ts'
import { RecordReader, toEventRecord } from './event-record.ts'
import type { HookLogRecord } from './log-record.ts'
import type { ClientLogger } from './options.ts'
import { type Line, SpoolFile, type TakenLine } from './spool-file.ts'
import { type Owner, ownedFileName, ownerOf, releasedFileName, stateOf, thisProcess } from './spool-owner.ts'

/** A file takes no more lines beyond this size, so that it is delivered, and can go, in one piece. */
const MAX_FILE_BYTES = 4 * 1024 * 1024
const SCAN_INTERVAL_MILLIS = 60_000
/** When the file of a process that cannot be seen from here counts as left behind; living ones touch theirs. */
const UNTOUCHED_MILLIS = 10 * SCAN_INTERVAL_MILLIS

/** Records read from one file, each with its line. */
export interface SpooledRecords {
  readonly records: readonly HookLogRecord[]
  readonly lines: readonly Line[]
}

export interface SpoolProblem {
  readonly reason: 'spool_full' | 'spool_failed'
  readonly message: string
}

/**
 * Events on disk: those that could not be delivered in time and, with `durability: 'disk'`, all that are pending.
 * They are JSON lines in files that one client of one process owns. What a dead process left behind is adopted
 * by an atomic rename, so that only one of many gets it. Nothing is fsynced: the files survive the process, not
 * the machine.
 */
export class Spool {
  /** Events of dead processes that were read here and then delivered or dropped. */
  adopted = 0
  /** Why the latest failed write failed. */
  problem: SpoolProblem | null = null
  /** Resolves once what lay here before has been adopted. */
  readonly ready: Promise<void>
  readonly #directory: string
  readonly #maxBytes: number
  readonly #drops: DropLog
  readonly #logger: ClientLogger
  readonly #reader = new RecordReader()
  readonly #files = new Set<SpoolFile>()
  /** The file that takes further lines. */
  #current: SpoolFile | null = null
  /** Lines of events that are in memory too. */
  readonly #held = new Map<HookLogRecord, Line>()
  /** Bytes that other clients have here. */
  #foreignBytes = 0
  readonly #scanTimer: NodeJS.Timeout
  #isUnheld = false
  #closed = false

  /**
   * @param onAdopted called when there may be something to deliver that another process left
   * @throws Error when the directory cannot be made
   */
  constructor(config: ClientConfig, drops: DropLog, onAdopted: () => void) {
    this.#directory = config.spool!
    this.#maxBytes = config.maxSpoolBytes
    this.#drops = drops
    this.#logger = config.logger
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const scan = () => this.#scan().then(onAdopted)
    this.ready = scan()
    this.#scanTimer = outsideOfScopes(() => setInterval(scan, SCAN_INTERVAL_MILLIS).unref())
  }

  /** Events of this client that are to be delivered from here. */
  get size(): number {
    let size = 0
    for (const { spooled } of this.#files) size += spooled
    return size
  }

  get hasDue(): boolean {
    for (const file of this.#files) if (file.hasDue) return true
    return false
  }

  /** Writes a record that stays pending in memory. One that cannot be written has only that place. */
  hold(record: HookLogRecord): void {
    if (this.#held.has(record)) return
    const line = encodeLines([toEventRecord(record)])
    const place = this.#append(line)
    if (place) this.#held.set(record, place.file.hold(place.offset, line.length))
    this.#warn(place === null)
  }

  /** Takes over records that leave the memory, and returns those that cannot be written. */
  add(records: readonly HookLogRecord[]): readonly HookLogRecord[] {
    const unwritten: HookLogRecord[] = []
    for (const record of records) {
      const line = this.#held.get(record)
      if (line) {
        this.#held.delete(record)
        line.file.release(line)
        line.file.spooled++
      } else {
        unwritten.push(record)
      }
    }
    return this.#write(unwritten)
  }

  /** Records that were delivered or dropped need no line any more. */
  forget(records: readonly HookLogRecord[]): void {
    if (this.#held.size === 0) return
    for (const record of records) {
      const line = this.#held.get(record)
      if (!line) continue
      this.#held.delete(record)
      this.#finish(line)
    }
  }

  /** The next records to deliver, of one file; null when there are none. */
  take(maxRecords: number, maxBytes: number): SpooledRecords | null {
    for (const file of this.#files) {
      while (file.hasDue) {
        const lines = this.#take(file, maxRecords, maxBytes)
        if (lines.length === 0) break
        const records: HookLogRecord[] = []
        const readable = lines.filter((line) => this.#read(line, records))
        if (records.length) return { records, lines: readable }
      }
    }
    return null
  }

  /** Taken records were delivered or dropped. */
  finish({ lines }: SpooledRecords): void {
    for (const line of lines) this.#finishTaken(line)
  }

  /** Taken records could not be delivered. */
  putBack({ lines }: SpooledRecords): void {
    for (const line of lines) line.file.release(line)
  }

  /** Lets go of every file: what is in them is for anyone who looks here next. */
  close(): void {
    clearInterval(this.#scanTimer)
    this.#closed = true
    for (const file of this.#files) {
      this.#attempt(file, () => {
        if (file.isDone) {
          file.remove()
        } else {
          file.rename(join(this.#directory, releasedFileName(uuidv7())))
          file.close()
        }
      })
    }
    this.#files.clear()
  }

  /** Says once that events are no longer on disk before `emit` returns, and again when that has changed. */
  #warn(isUnheld: boolean): void {
    if (isUnheld === this.#isUnheld) return
    this.#isUnheld = isUnheld
    if (isUnheld) this.#logger.warn(`events are kept in memory only: ${this.problem?.message}`)
    else this.#logger.info('events are on disk again before emit returns')
  }

  #write(records: readonly HookLogRecord[]): readonly HookLogRecord[] {
    if (records.length === 0) return records
    const place = this.#append(encodeLines(records.map(toEventRecord)))
    if (place) {
      place.file.spooled += records.length
      return []
    }
    if (records.length === 1) return records
    // As many as there is room for.
    const half = records.length >> 1
    return [...this.#write(records.slice(0, half)), ...this.#write(records.slice(half))]
  }

  #append(lines: Uint8Array): { readonly file: SpoolFile; readonly offset: number } | null {
    let bytes = this.#foreignBytes + lines.byteLength
    for (const file of this.#files) bytes += file.bytes
    if (bytes > this.#maxBytes) {
      const message = `${this.#directory} has reached maxSpoolBytes, ${this.#maxBytes}`
      this.problem = { reason: 'spool_full', message }
      return null
    }
    try {
      if (!this.#current || this.#current.bytes >= MAX_FILE_BYTES) {
        this.#current = new SpoolFile(this.#newPath(), { adopted: false })
        this.#files.add(this.#current)
      }
      return { file: this.#current, offset: this.#current.append(lines) }
    } catch (error) {
      this.#current = null
      this.problem = { reason: 'spool_failed', message: `${this.#directory} cannot be written: ${error}` }
      return null
    }
  }

  #newPath(): string {
    return join(this.#directory, ownedFileName(thisProcess, uuidv7()))
  }

  #finishTaken(line: Line): void {
    if (line.file.adopted) this.adopted++
    else line.file.spooled--
    this.#finish(line)
  }

  #finish(line: Line): void {
    const { file } = line
    file.finish(line)
    if (!file.isDone) return
    if (file === this.#current) {
      this.#attempt(file, () => file.reset())
    } else {
      this.#files.delete(file)
      this.#attempt(file, () => file.remove())
    }
  }

  #take(file: SpoolFile, maxRecords: number, maxBytes: number): TakenLine[] {
    return this.#attempt(file, () => file.take(maxRecords, maxBytes)) ?? []
  }

  /** A file with which something cannot be done is left as it is; what it held of this client counts as lost. */
  #attempt<T>(file: SpoolFile, act: () => T): T | undefined {
    try {
      return act()
    } catch (error) {
      this.#files.delete(file)
      if (file === this.#current) this.#current = null
      const message = `${file.path} is left as it is: ${error}`
      if (file.spooled > 0) this.#drops.add('spool_failed', file.spooled, message)
      else this.#logger.warn(message)
      return undefined
    }
  }

  #read(line: TakenLine, records: HookLogRecord[]): boolean {
    try {
      records.push(this.#reader.read(decodeLine(line.text)))
      return true
    } catch (error) {
      // Half a line is what a process leaves that dies while it writes: its `emit` had not returned.
      this.#drops.add('invalid', 1, `a line of ${line.file.path} cannot be read: ${error}`)
      this.#finishTaken(line)
      return false
    }
  }

  /** Adopts the files of the dead, and shows the others that this process lives. */
  async #scan(): Promise<void> {
    let foreignBytes = 0
    try {
      const own = new Set([...this.#files].map((file) => basename(file.path)))
      for (const name of await readdir(this.#directory)) {
        const owner = ownerOf(name)
        if (owner === undefined || own.has(name)) continue
        const path = join(this.#directory, name)
        const file = await stat(path).catch(() => null)
        if (this.#closed) return
        // Gone: another process has adopted or delivered it.
        if (file === null || (isLeftBehind(owner, file.mtimeMs) && this.#adopt(path))) continue
        foreignBytes += file.size
      }
      const now = new Date()
      for (const file of this.#files) utimesSync(file.path, now, now)
    } catch (error) {
      diag.warn(`agentic-hooks: ${this.#directory} cannot be read: ${error}`)
    }
    this.#foreignBytes = foreignBytes
  }

  #adopt(path: string): boolean {
    const newPath = this.#newPath()
    try {
      renameSync(path, newPath)
      const file = new SpoolFile(newPath, { adopted: true })
      if (file.isDone) file.remove()
      else this.#files.add(file)
      return true
    } catch {
      return false
    }
  }
}

function isLeftBehind(owner: Owner | null, modifiedMillis: number): boolean {
  if (owner === null) return true
  const state = stateOf(owner)
  return state === 'dead' || (state === 'unknown' && Date.now() - modifiedMillis > UNTOUCHED_MILLIS)
}
