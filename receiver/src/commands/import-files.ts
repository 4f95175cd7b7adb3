import { constants } from 'node:fs'
import { appendFile, open, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { FILE_MODE, type OpenFile, readLines } from '@agentic-hooks/durable-files'
import {
  batchOf,
  checkSeal,
  type EventRecord,
  type Exporter,
  type ExportResult,
  isPermanentExportError,
  storableMicros,
  withoutSeal,
} from '@agentic-hooks/events'
import { decodeLineBytes } from '../decode/line.ts'

const BATCH_EVENTS = 1_000
const BATCH_BYTES = 2 ** 20
const BATCHES_UNDER_WAY = 4
const FIRST_RETRY_MILLIS = 100
const MAX_RETRY_MILLIS = 5_000

export interface ImportOptions {
  /** Ends the import after the batches that are under way. */
  readonly signal: AbortSignal
  /** An exporter that fails is tried again for so long. Default 60,000. */
  readonly retryMillis?: number
  /** A longer line is rejected by its number and not held in memory. Default: any length. */
  readonly maxLineBytes?: number
  /** Called after each batch. */
  onProgress?(progress: ImportProgress): void
  /** Called for each line that is not stored, in any order. */
  onRejected?(line: RejectedLine): void
}

export interface ImportProgress {
  /** Done with, of all files. */
  readonly bytes: number
  readonly totalBytes: number
  readonly events: number
}

/** A line that is no event, or one that the exporter can never store. */
export interface RejectedLine {
  readonly path: string
  /** From 1. */
  readonly number: number
  readonly reason: string
}

export interface ImportReport {
  readonly stored: number
  /** In the store before, or more than once in the files. */
  readonly duplicates: number
  /** Lines, kept as they were in `<path>.rejected`, unless they are longer than `maxLineBytes`. */
  readonly rejected: number
  /** False when the signal ended it before the last line. */
  readonly isComplete: boolean
}

interface Source {
  readonly path: string
  readonly file: OpenFile
  /** When the import began; what is appended meanwhile is not imported. */
  readonly bytes: number
  readonly mtimeMillis: number
}

interface DecodedLine {
  readonly record: EventRecord
  readonly text: string
  readonly number: number
}

/**
 * Brings files of JSON lines, the older flat ones included, into an exporter that is started. No position is
 * kept: a line gives the same event with the same id each time, which an idempotent exporter recognizes. So an
 * import that was interrupted, or whose file has grown, is simply run again.
 * @throws Error when a file cannot be read or is not a regular one, before anything is stored; or when the exporter fails for longer than `retryMillis`
 */
export async function importFiles(
  paths: readonly string[],
  exporter: Exporter,
  options: ImportOptions,
): Promise<ImportReport> {
  const sources: Source[] = []
  try {
    for (const path of paths) {
      // Opening a FIFO would else wait for its writer.
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
      const stats = await file.stat()
      sources.push({ path, file, bytes: stats.size, mtimeMillis: stats.mtimeMs })
      if (!stats.isFile()) {
        const kind = stats.isDirectory()
          ? 'a directory: name its files'
          : 'not a file on a disk: write it into one first'
        throw new Error(`${JSON.stringify(path)} is ${kind}`)
      }
    }
    const importer = new Importer(exporter, options, sources)
    for (const source of sources) await importer.import(source)
    return importer.report
  } finally {
    for (const { file } of sources) await file.close()
  }
}

class Importer {
  readonly #exporter: Exporter
  readonly #options: ImportOptions
  readonly #totalBytes: number
  readonly #underWay = new Set<Promise<void>>()
  #bytes = 0
  #stored = 0
  #duplicates = 0
  #rejected = 0

  constructor(exporter: Exporter, options: ImportOptions, sources: readonly Source[]) {
    this.#exporter = exporter
    this.#options = options
    this.#totalBytes = sources.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get report(): ImportReport {
    return {
      stored: this.#stored,
      duplicates: this.#duplicates,
      rejected: this.#rejected,
      isComplete: this.#bytes === this.#totalBytes,
    }
  }

  async import(source: Source): Promise<void> {
    const { path, file, mtimeMillis } = source
    await rm(rejectedFile(path), { force: true })
    let lines: DecodedLine[] = []
    let [number, sentBytes, readBytes] = [0, 0, 0]
    // A line without a time is given that of the line before it, so that it is the same event the next time.
    let micros = storableMicros(mtimeMillis * 1000)
    const { maxLineBytes = Infinity } = this.#options
    for await (const { bytes, start, end, isTooLong } of readLines(file, { unended: true, maxLineBytes })) {
      if (this.#options.signal.aborted || start >= source.bytes) break
      number++
      readBytes = end
      if (isTooLong) {
        this.#rejected++
        const reason = `has more than MAX_LINE_BYTES (${maxLineBytes}); raise it and run the import again`
        this.#options.onRejected?.({ path, number, reason })
        continue
      }
      const text = bytes.toString().replace(/^\uFEFF/, '')
      try {
        const seal = checkSeal(bytes)
        if (seal === 'damaged') throw new Error('the line is damaged: its checksum is another')
        const record = decodeLineBytes(seal === 'intact' ? withoutSeal(bytes) : bytes, micros)
        micros = record.timestampMicros
        lines.push({ record, text, number })
      } catch (error) {
        if (text.trim()) await this.#reject(path, { text, number }, messageOf(error))
      }
      if (lines.length < BATCH_EVENTS && readBytes - sentBytes < BATCH_BYTES) continue
      await this.#send(path, lines, readBytes - sentBytes)
      sentBytes = readBytes
      lines = []
    }
    await this.#send(path, lines, readBytes - sentBytes)
    await Promise.all(this.#underWay)
  }

  /** Resolves when the batch is under way, which is at once while few others are. */
  async #send(path: string, lines: readonly DecodedLine[], bytes: number): Promise<void> {
    while (this.#underWay.size >= BATCHES_UNDER_WAY) await Promise.race(this.#underWay)
    const stored = this.#store(path, lines).then(() => {
      this.#underWay.delete(stored)
      this.#bytes += bytes
      const events = this.#stored + this.#duplicates
      this.#options.onProgress?.({ bytes: this.#bytes, totalBytes: this.#totalBytes, events })
    })
    stored.catch(() => {}) // Whoever waits for those under way gets the error.
    this.#underWay.add(stored)
  }

  async #store(path: string, lines: readonly DecodedLine[]): Promise<void> {
    const { stored, duplicates, rejected } = await this.#export(lines)
    this.#stored += stored
    this.#duplicates += duplicates
    const reasons = new Map(rejected.map(({ eventId, reason }) => [eventId, reason]))
    for (const line of lines) {
      const reason = reasons.get(line.record.eventId)
      if (reason !== undefined) await this.#reject(path, line, reason)
    }
  }

  async #export(lines: readonly DecodedLine[]): Promise<ExportResult> {
    const batch = batchOf(lines.map(({ record }) => record))
    const { signal } = new AbortController()
    const giveUpAt = performance.now() + (this.#options.retryMillis ?? 60_000)
    for (let delayMillis = FIRST_RETRY_MILLIS; ; delayMillis = Math.min(delayMillis * 2, MAX_RETRY_MILLIS)) {
      try {
        await this.#exporter.prepareImport?.(batch)
        return await this.#exporter.export(batch, { signal })
      } catch (error) {
        if (isPermanentExportError(error)) return rejectedWhole(lines, error.message)
        const { signal: stopSignal } = this.#options
        if (stopSignal.aborted || performance.now() + delayMillis > giveUpAt) throw error
        await sleep(delayMillis, undefined, { signal: stopSignal }).catch(() => {})
        if (stopSignal.aborted) throw error
      }
    }
  }

  async #reject(
    path: string,
    { text, number }: { text: string; number: number },
    reason: string,
  ): Promise<void> {
    this.#rejected++
    await appendFile(rejectedFile(path), `${text}\n`, { mode: FILE_MODE })
    this.#options.onRejected?.({ path, number, reason })
  }
}

function rejectedFile(path: string): string {
  return `${path}.rejected`
}

function rejectedWhole(lines: readonly DecodedLine[], reason: string): ExportResult {
  return {
    stored: 0,
    duplicates: 0,
    rejected: lines.map(({ record }) => ({ eventId: record.eventId, reason })),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
