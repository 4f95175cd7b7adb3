import { writeSync } from 'node:fs'
import type { ClientLogger } from '../options/options.ts'

/** Why an event will never be stored. */
export type DropReason =
  /** The queue was full, and no spool could take it. */
  | 'queue_full'
  /** Every attempt failed, or time ran out, and there is no spool. */
  | 'undeliverable'
  /** The server refused it, or without a spool the batch that it was in. With a spool it is kept there, set aside. */
  | 'refused'
  /** The server stored the rest of the batch (partial success). */
  | 'rejected'
  /** The spool's limit is reached, or it cannot be written. */
  | 'spool_full'
  | 'spool_failed'
  /** What was emitted is no event, or a line of the spool is damaged. */
  | 'invalid'
  /** Emitted after `close`. */
  | 'closed'

export interface Drop {
  readonly reason: DropReason
  /** How many events. */
  readonly count: number
  /** The latest of the details, for a person. */
  readonly message: string
}

/** Losses of one reason are logged at most this often; the counts lose nothing by it. */
const LOG_INTERVAL_MILLIS = 10_000

/** Counts losses at once and reports them soon, each burst in one piece: a drop may come with every emit. */
export class DropLog {
  readonly counts: Partial<Record<DropReason, number>> = {}
  total = 0
  readonly #unreported = new Map<DropReason, Drop>()
  readonly #unlogged = new Map<DropReason, { count: number; loggedAt: number }>()
  readonly #onDrop: ((drop: Drop) => void) | undefined
  readonly #logger: ClientLogger
  #scheduled: NodeJS.Immediate | null = null

  constructor(logger: ClientLogger, onDrop?: (drop: Drop) => void) {
    this.#logger = logger
    this.#onDrop = onDrop
  }

  add(reason: DropReason, count: number, message: string): void {
    this.total += count
    this.counts[reason] = (this.counts[reason] ?? 0) + count
    const before = this.#unreported.get(reason)?.count ?? 0
    this.#unreported.set(reason, { reason, count: before + count, message })
    this.#scheduled ??= setImmediate(() => this.report())
  }

  /** Reports now what has not been reported; at the end of the process straight to standard error, as loggers may be too slow. */
  report({ atExit = false } = {}): void {
    if (this.#scheduled) clearImmediate(this.#scheduled)
    this.#scheduled = null
    const drops = [...this.#unreported.values()]
    this.#unreported.clear()
    for (const drop of drops) {
      if (atExit) writeToStderr(describe(drop))
      else this.#log(drop)
      try {
        this.#onDrop?.(drop)
      } catch (error) {
        this.#logger.warn(`onDrop threw: ${error}`)
      }
    }
  }

  #log({ reason, count, message }: Drop): void {
    const { count: unlogged, loggedAt } = this.#unlogged.get(reason) ?? { count: 0, loggedAt: 0 }
    const now = Date.now()
    if (now - loggedAt < LOG_INTERVAL_MILLIS) {
      this.#unlogged.set(reason, { count: unlogged + count, loggedAt })
      return
    }
    this.#unlogged.set(reason, { count: 0, loggedAt: now })
    this.#logger.warn(describe({ reason, count: unlogged + count, message }))
  }
}

function describe({ reason, count, message }: Drop): string {
  return `${count === 1 ? '1 event' : `${count} events`} dropped (${reason}): ${message}`
}

function writeToStderr(line: string): void {
  try {
    writeSync(2, `agentic-hooks: ${line}\n`)
  } catch {
    // Standard error is closed or full: there is no one left to tell.
  }
}
