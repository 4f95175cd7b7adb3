import type { EventBatch, EventRecord, ExportResult, Rejection } from '@agentic-hooks/events'
import { boundBytes } from './copy-rows.ts'
import { type ResourcesByOrigin, resourcesOf } from './resources.ts'

/** Rows that are stored, or refused, together. */
export interface Rows {
  readonly events: readonly EventRecord[]
  readonly receivedAtMicros: number
  readonly resources: ResourcesByOrigin
  /** The most bytes that they take in a COPY. */
  readonly boundBytes: number
}

/** Some of the rows on their own. */
export function partOf(rows: Rows, events: readonly EventRecord[]): Rows {
  const origins = new Set(events.map(({ origin }) => origin))
  const resources = new Map([...rows.resources].filter(([origin]) => origins.has(origin)))
  return { ...rows, events, resources, boundBytes: boundBytes(events) }
}

/** A batch from its `export` to the answer. */
export class PendingBatch {
  readonly rows: Rows
  readonly durable: Promise<ExportResult>
  readonly #rejected: Rejection[] = []
  #stored = 0
  #duplicates = 0
  #resolve: (result: ExportResult) => void
  #reject: (error: Error) => void

  constructor(batch: EventBatch) {
    const { events, receivedAtMicros } = batch
    this.rows = {
      events: inKeyOrder(events),
      receivedAtMicros,
      resources: resourcesOf(batch),
      boundBytes: boundBytes(events),
    }
    const { promise, resolve, reject } = Promise.withResolvers<ExportResult>()
    this.durable = promise
    this.#resolve = resolve
    this.#reject = reject
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
