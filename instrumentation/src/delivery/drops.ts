import { writeSync } from 'node:fs'
import type { ClientLogger, Drop, DropReason } from '../options/types.ts'

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
