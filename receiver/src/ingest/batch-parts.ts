import type { EventBatch, EventRecord } from '@agentic-hooks/events'

/** An exporter writes so much in some milliseconds. */
const MAX_PART_BYTES = 2 ** 21
const MAX_PART_EVENTS = 5_000
/** What an event takes in a store besides its payloads. */
const EVENT_BYTES = 200

/**
 * The batch in parts, so that an exporter makes rows or lines of a few megabytes at a time: it takes no longer and no
 * more memory for a large batch, and stores those of others in between. The batch itself when it is small.
 */
export function* partsOf(batch: EventBatch): Generator<EventBatch, void, undefined> {
  const { events, receivedAtMicros } = batch
  let start = 0
  let writtenBytes = 0
  let heldBytes = 0
  for (let index = 0; index < events.length; index++) {
    const payloadBytes = payloadBytesOf(events[index]!)
    const eventBytes = EVENT_BYTES + payloadBytes + originBytesOf(events[index]!)
    const isFull = writtenBytes + eventBytes > MAX_PART_BYTES || index - start === MAX_PART_EVENTS
    if (isFull && index > start) {
      yield { events: events.slice(start, index), receivedAtMicros, byteLength: heldBytes }
      start = index
      writtenBytes = 0
      heldBytes = 0
    }
    writtenBytes += eventBytes
    heldBytes += EVENT_BYTES + payloadBytes
  }
  if (start === 0) yield batch
  else yield { events: events.slice(start), receivedAtMicros, byteLength: heldBytes }
}

function payloadBytesOf({ data, attributes }: EventRecord): number {
  return data.byteLength + (attributes?.byteLength ?? 0)
}

function originBytesOf({ origin }: EventRecord): number {
  return (origin?.resource?.byteLength ?? 0) + (origin?.scope?.byteLength ?? 0)
}
