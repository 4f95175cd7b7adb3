import type { Exporter } from '@agentic-hooks/events'
import { withTimeout } from '../ingest/timeout.ts'

const CHECK_TIMEOUT_MILLIS = 2_000
const REUSE_MILLIS = 1_000

/** Whether events could be stored now. Probes that come close together share one check of the exporters. */
export class Health {
  readonly #exporters: readonly Exporter[]
  #closing = false
  #checkedAtMillis = Number.NEGATIVE_INFINITY
  #check: Promise<string | null> = Promise.resolve(null)

  constructor(exporters: readonly Exporter[]) {
    this.#exporters = exporters
  }

  /** From now on never ready again. */
  close(): void {
    this.#closing = true
  }

  /** Null, or why not. */
  async reasonNotReady(): Promise<string | null> {
    if (this.#closing) return 'shutting down'
    return this.reasonUnhealthy()
  }

  /** Null, or what is wrong with the storage. */
  reasonUnhealthy(): Promise<string | null> {
    const now = performance.now()
    if (now - this.#checkedAtMillis > REUSE_MILLIS) {
      this.#checkedAtMillis = now
      this.#check = this.#checkAll()
    }
    return this.#check
  }

  /** What somebody has to look at although events are stored, or null. */
  get degradation(): string | null {
    const reasons = this.#exporters.flatMap(({ name, degradation }) =>
      degradation ? [`${name}: ${degradation}`] : [],
    )
    return reasons.join('; ') || null
  }

  async #checkAll(): Promise<string | null> {
    const reasons = await Promise.all(this.#exporters.map(reasonOf))
    return reasons.filter((reason) => reason !== null).join('; ') || null
  }
}

async function reasonOf(exporter: Exporter): Promise<string | null> {
  try {
    await withTimeout(exporter.health(), CHECK_TIMEOUT_MILLIS, noAnswer)
    return null
  } catch (error) {
    return `${exporter.name}: ${error instanceof Error ? error.message : String(error)}`
  }
}

const noAnswer = () => new Error(`no answer in ${CHECK_TIMEOUT_MILLIS} ms`)
