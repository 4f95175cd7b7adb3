import type { EventBatch, EventRecord, ExportResult, Rejection } from '@agentic-hooks/events'
import { encodeRows } from './copy-rows.ts'
import { type ResourcesByOrigin, resourcesOf } from './resources.ts'

/** Rows that are written, or refused, together. */
export interface Rows {
  readonly events: readonly EventRecord[]
  readonly resources: ResourcesByOrigin
  /** The same events as a CopyData message. */
  readonly message: Buffer
}

/** A batch from its `export` to the answer. */
export class PendingBatch {
  readonly rows: Rows
  readonly durable: Promise<ExportResult>
  readonly #receivedAtMicros: number
  readonly #rejected: Rejection[] = []
  #stored = 0
  #duplicates = 0
  #resolve: (result: ExportResult) => void = () => {}
  #reject: (error: Error) => void = () => {}

  constructor(batch: EventBatch) {
    this.#receivedAtMicros = batch.receivedAtMicros
    this.rows = this.#encode(inKeyOrder(batch.events), resourcesOf(batch))
    this.durable = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Some of the rows on their own, for finding those that cannot be stored. */
  part(events: readonly EventRecord[]): Rows {
    return this.#encode(events, this.rows.resources)
  }

  #encode(events: readonly EventRecord[], resources: ResourcesByOrigin): Rows {
    return { events, resources, message: encodeRows(events, this.#receivedAtMicros, resources) }
  }

  addStored(stored: number, duplicates: number): void {
    this.#stored += stored
    this.#duplicates += duplicates
  }

  addRejection({ eventId }: EventRecord, reason: string): void {
    this.#rejected.push({ eventId, reason })
  }

  resolve(): void {
    this.#resolve({ stored: this.#stored, duplicates: this.#duplicates, rejected: this.#rejected })
  }

  reject(error: Error): void {
    this.#reject(error)
  }
}

/** All writers insert in the order of the primary key, so that none waits for another in a circle. */
function inKeyOrder(events: readonly EventRecord[]): readonly EventRecord[] {
  for (let index = 1; index < events.length; index++) {
    if (byKey(events[index - 1]!, events[index]!) > 0) return events.toSorted(byKey)
  }
  return events
}

export function byKey(a: EventRecord, b: EventRecord): number {
  return a.timestampMicros - b.timestampMicros || (a.eventId < b.eventId ? -1 : a.eventId > b.eventId ? 1 : 0)
}
