import { appendFileSync, mkdirSync, utimesSync } from 'node:fs'
import { basename, join } from 'node:path'
import { checkSeal, decodeLine, encodeLines, sealLine, uuidv7 } from '@agentic-hooks/events'
import { diag } from '@opentelemetry/api'
import type { ClientConfig } from '../options/config.ts'
import type { ClientLogger } from '../options/types.ts'
import type { HookLogRecord } from '../record/log-record.ts'
import { RecordReader, toStoredRecord as toEventRecord } from '../record/stored-record.ts'
import { outsideOfScopes } from '../scope.ts'
import type { DropLog } from './drops.ts'
import { type Line, SpoolFile, type TakenLine } from './spool-file.ts'
import { LeftBehind, SCAN_INTERVAL_MILLIS } from './spool-left-behind.ts'
import { ownedFileName, releasedFileName, setAsideFileName, thisProcess } from './spool-owner.ts'

/** A file takes no more lines beyond this size, so that it is delivered, and can go, in one piece. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

/** Records read from files, each with its line. */
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
 * by an atomic rename, so that only one of many gets it, a file at a time. Each line ends with a checksum. Nothing is fsynced: the files survive the process, not
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
  /** What the dead left is adopted one file at a time, when there is time for it. */
  readonly #leftBehind: LeftBehind
  readonly #setAsideId = uuidv7()
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
    this.#leftBehind = new LeftBehind(this.#directory, config.logger)
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
    if (!this.#leftBehind.isEmpty) return true
    for (const file of this.#files) if (file.hasDue) return true
    return false
  }

  /** Writes a record that stays pending in memory. One that cannot be written has only that place. */
  hold(record: HookLogRecord): void {
    if (this.#held.has(record)) return
    const line = lineOf(record)
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

  /** The next records to deliver; null when there are none. */
  take(maxRecords: number, maxBytes: number): SpooledRecords | null {
    const records: HookLogRecord[] = []
    const lines: Line[] = []
    let bytes = 0
    const isFull = () => records.length >= maxRecords || bytes >= maxBytes
    do {
      for (const file of this.#files) {
        while (file.hasDue && !isFull()) {
          const taken = this.#take(file, maxRecords - records.length, maxBytes - bytes)
          if (taken.length === 0) break
          for (const line of taken) {
            if (!this.#read(line, records)) continue
            lines.push({ file: line.file, offset: line.offset, length: line.length })
            bytes += line.length
          }
        }
      }
    } while (!isFull() && this.#adoptNext())
    return records.length > 0 ? { records, lines } : null
  }

  /** When the first of taken records was first refused by the server: now, where it was not before. */
  refusedAt({ lines }: SpooledRecords): number {
    return lines[0]!.file.refusedAt(lines[0]!)
  }

  /** Keeps records that the server refuses, out of the way. Returns where, null when they cannot be written. */
  setAside(records: readonly HookLogRecord[]): string | null {
    return this.#keep('refused', Buffer.concat(records.map(lineOf)))
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
    const place = this.#append(Buffer.concat(records.map(lineOf)))
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
    if (!this.#hasRoomFor(lines)) {
      const message = `${this.#directory} has reached maxSpoolBytes, ${this.#maxBytes}`
      this.problem = { reason: 'spool_full', message }
      return null
    }
    try {
      if (!this.#current || this.#current.bytes >= MAX_FILE_BYTES) {
        this.#current?.close()
        this.#current = new SpoolFile(this.#newPath(), { adopted: false })
        this.#files.add(this.#current)
      }
      return { file: this.#current, offset: this.#current.append(lines) }
    } catch (error) {
      this.#current?.close()
      this.#current = null
      this.problem = { reason: 'spool_failed', message: `${this.#directory} cannot be written: ${error}` }
      return null
    }
  }

  #hasRoomFor({ byteLength }: Uint8Array): boolean {
    let bytes = this.#leftBehind.foreignBytes + byteLength
    for (const file of this.#files) bytes += file.bytes
    return bytes <= this.#maxBytes
  }

  #keep(kind: 'refused' | 'damaged', lines: Uint8Array): string | null {
    const path = join(this.#directory, setAsideFileName(kind, this.#setAsideId))
    if (!this.#hasRoomFor(lines)) return null
    try {
      appendFileSync(path, lines, { mode: 0o600 })
      this.#leftBehind.foreignBytes += lines.byteLength
      return path
    } catch (error) {
      this.#logger.warn(`${path} cannot be written: ${error}`)
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
      file.close()
      const message = `${file.path} is left as it is: ${error}`
      if (file.spooled > 0) this.#drops.add('spool_failed', file.spooled, message)
      else this.#logger.warn(message)
      return undefined
    }
  }

  #read(line: TakenLine, records: HookLogRecord[]): boolean {
    if (line.file.adopted && isEmpty(line.bytes)) {
      this.#finish(line)
      return false
    }
    try {
      if (checkSeal(line.bytes) === 'damaged') throw new Error('it is not as it was written')
      records.push(this.#reader.read(decodeLine(line.bytes.toString())))
      return true
    } catch (error) {
      this.#drops.add(
        'invalid',
        1,
        `a line of ${line.file.path} cannot be read${this.#keepDamaged(line)}: ${error}`,
      )
      this.#finishTaken(line)
      return false
    }
  }

  /**
   * Half a line is what a process leaves that dies while it writes: its `emit` had not returned. What was a whole event
   * once is kept.
   */
  #keepDamaged({ bytes, isEnded }: TakenLine): string {
    if (!isEnded || checkSeal(bytes) === 'unsealed') return ''
    const path = this.#keep('damaged', Buffer.concat([bytes, Buffer.from('\n')]))
    return path === null ? '' : `, and is kept in ${path}`
  }

  /** Looks for what the dead left behind, and shows the others that this process lives. */
  async #scan(): Promise<void> {
    await this.#leftBehind.look(new Set([...this.#files].map((file) => basename(file.path))))
    if (!this.#closed) this.#showLife()
  }

  #showLife(): void {
    const now = new Date()
    for (const { path } of this.#files) {
      try {
        utimesSync(path, now, now)
      } catch (error) {
        diag.warn(`agentic-hooks: ${path} cannot be touched: ${error}`)
      }
    }
  }

  /** Takes over one of the files that were left behind. False when there is none left. */
  #adoptNext(): boolean {
    const path = this.#newPath()
    if (!this.#leftBehind.take(path)) return false
    try {
      const file = new SpoolFile(path, { adopted: true })
      if (file.isDone) file.remove()
      else this.#files.add(file)
    } catch (error) {
      this.#logger.warn(`${path} is left where it is: ${error}`)
    }
    return true
  }
}

/** Blanks, or the zeros that a power failure leaves at the end of a file. */
function isEmpty(bytes: Buffer): boolean {
  return bytes.every((byte) => byte <= 0x20)
}

function lineOf(record: HookLogRecord): Buffer {
  return sealLine(encodeLines([toEventRecord(record)]))
}
