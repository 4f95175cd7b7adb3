import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { encodeLines, type StoredEvent, toHookEvent } from '@agentic-hooks/events'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { toStoredRecord } from '../record/stored-record.ts'

type Done = (result: ExportResult) => void

const SUCCESS: ExportResult = { code: ExportResultCode.SUCCESS }

/** Appends events to a file, in the same lines as the receiver writes. Mode 0600; directories are made. */
export class JsonlFileExporter implements LogRecordExporter {
  readonly #path: string
  #file: Promise<FileHandle> | null = null

  constructor(path: string) {
    this.#path = path
  }

  export(records: ReadableLogRecord[], done: Done): void {
    this.#append(encodeLines(records.map(toStoredRecord))).then(
      () => done(SUCCESS),
      (error) => done({ code: ExportResultCode.FAILED, error }),
    )
  }

  /** Resolves when the lines are on the disk. */
  async forceFlush(): Promise<void> {
    await (await this.#file)?.datasync()
  }

  async shutdown(): Promise<void> {
    await this.forceFlush()
    await (await this.#file)?.close()
    this.#file = null
  }

  async #append(lines: Uint8Array): Promise<void> {
    this.#file ??= this.#open()
    const file = await this.#file
    await file.appendFile(lines)
  }

  async #open(): Promise<FileHandle> {
    try {
      await mkdir(dirname(this.#path), { recursive: true })
      return await open(this.#path, 'a', 0o600)
    } catch (error) {
      // The next attempt may find the directory writable.
      this.#file = null
      throw error
    }
  }
}

/** Keeps events for tests to look at. */
export class InMemoryExporter implements LogRecordExporter {
  readonly #records: ReadableLogRecord[] = []

  /** As the receiver would give them back. */
  get events(): StoredEvent[] {
    return this.#records.map((record) => toHookEvent(toStoredRecord(record)))
  }

  get records(): readonly ReadableLogRecord[] {
    return this.#records
  }

  reset(): void {
    this.#records.length = 0
  }

  export(records: ReadableLogRecord[], done: Done): void {
    for (const record of records) this.#records.push(record)
    done(SUCCESS)
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

/** Delivers to nowhere. */
export class NullExporter implements LogRecordExporter {
  export(_records: ReadableLogRecord[], done: Done): void {
    done(SUCCESS)
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}
