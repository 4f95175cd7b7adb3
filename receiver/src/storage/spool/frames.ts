import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import type { EventBatch, EventRecord } from '@agentic-hooks/events'

/*
 * A batch on disk: length and CRC-32 of what follows, its number of events, the marker of the file, and the batch
 * itself as structured-clone bytes, which keep every field of it, shared origins included, and cost a microsecond an
 * event. A newer Node reads what an older one wrote.
 *
 * The marker is random, so that no sender can put it into an event. Looking for it finds every frame of a file of
 * which any part is damaged, in time linear in its bytes.
 */

const LENGTH_AT = 0
const CHECKSUM_AT = 4
const EVENTS_AT = 8
const HEADER_BYTES = 12
export const MARKER_BYTES = 16

export function encodeFrame(batch: EventBatch, marker: Uint8Array): Buffer {
  const body = v8.serialize(batch)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + MARKER_BYTES + body.byteLength)
  frame.writeUInt32LE(MARKER_BYTES + body.byteLength, LENGTH_AT)
  frame.writeUInt32LE(batch.events.length, EVENTS_AT)
  frame.set(marker, HEADER_BYTES)
  frame.set(body, HEADER_BYTES + MARKER_BYTES)
  frame.writeUInt32LE(checksumOf(frame), CHECKSUM_AT)
  return frame
}

/** Of all but itself. */
function checksumOf(frame: Buffer): number {
  return crc32(frame.subarray(EVENTS_AT), crc32(frame.subarray(LENGTH_AT, CHECKSUM_AT)))
}

export function eventsIn(frame: Buffer): number {
  return frame.readUInt32LE(EVENTS_AT)
}

export interface Frames {
  readonly batches: readonly EventBatch[]
  /** Where in the file the frame of each batch begins. */
  readonly offsets: readonly number[]
  /** In all of these batches. */
  readonly events: number
  /** Bytes that belong to no intact frame; zeros, which a power failure appends, do not count. */
  readonly damagedBytes: number
}

/**
 * Every batch whose frame is as it was written.
 * @param marker of the file, as its name has it; a file may also have got the name of another
 */
export function decodeFrames(bytes: Buffer, marker?: Buffer): Frames {
  let best: Frames | null = null
  for (const candidate of [marker, ...markersIn(bytes), null]) {
    if (candidate === undefined) continue
    const found = candidate ? scanFrames(bytes, candidate) : scanOldFrames(bytes)
    if (found.damagedBytes === 0) return found
    if (best === null || found.events > best.events) best = found
  }
  return best!
}

/** What stands where the first and the second frame have their marker. */
function markersIn(bytes: Buffer): Buffer[] {
  if (bytes.byteLength < HEADER_BYTES + MARKER_BYTES) return []
  const second = HEADER_BYTES + bytes.readUInt32LE(LENGTH_AT)
  const markers = [0, second].map((offset) => {
    return bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + MARKER_BYTES)
  })
  return markers.filter(({ byteLength }) => byteLength === MARKER_BYTES)
}

function scanFrames(bytes: Buffer, marker: Buffer): Frames {
  const frames = new FoundFrames(bytes)
  let at = bytes.indexOf(marker, HEADER_BYTES)
  while (at >= 0) {
    const offset = at - HEADER_BYTES
    const end = at + bytes.readUInt32LE(offset + LENGTH_AT)
    const frame = bytes.subarray(offset, Math.min(end, bytes.byteLength))
    const isIntact = end <= bytes.byteLength && end >= at + MARKER_BYTES
    const batch =
      isIntact && checksumOf(frame) === frame.readUInt32LE(CHECKSUM_AT)
        ? deserialize(frame.subarray(HEADER_BYTES + MARKER_BYTES))
        : null
    if (batch) frames.add(offset, end, batch)
    at = bytes.indexOf(marker, batch ? end : at + MARKER_BYTES)
  }
  return frames.all()
}

/** Frames as they were before there were markers; behind a damaged length nothing more is found. */
function scanOldFrames(bytes: Buffer): Frames {
  const frames = new FoundFrames(bytes)
  let offset = 0
  while (offset + HEADER_BYTES <= bytes.byteLength) {
    const start = offset + HEADER_BYTES
    const end = start + bytes.readUInt32LE(offset + LENGTH_AT)
    const body = bytes.subarray(start, end)
    const isIntact = crc32(body) === bytes.readUInt32LE(offset + CHECKSUM_AT)
    const batch = isIntact ? deserialize(body) : null
    if (batch) frames.add(offset, end, batch)
    offset = end
  }
  return frames.all()
}

class FoundFrames {
  readonly #bytes: Buffer
  readonly #batches: EventBatch[] = []
  readonly #offsets: number[] = []
  #events = 0
  #damagedBytes = 0
  #end = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  add(offset: number, end: number, batch: EventBatch): void {
    this.#skipTo(offset)
    this.#end = end
    this.#batches.push(batch)
    this.#offsets.push(offset)
    this.#events += batch.events.length
  }

  all(): Frames {
    this.#skipTo(this.#bytes.byteLength)
    const [batches, offsets, events] = [this.#batches, this.#offsets, this.#events]
    return { batches, offsets, events, damagedBytes: this.#damagedBytes }
  }

  #skipTo(offset: number): void {
    const skipped = this.#bytes.subarray(this.#end, offset)
    if (skipped.some((byte) => byte !== 0)) this.#damagedBytes += skipped.byteLength
  }
}

function deserialize(body: Buffer): EventBatch | null {
  try {
    return toBatch(v8.deserialize(body))
  } catch {
    return null // Written by a newer Node, or zeros, whose checksum is zero too.
  }
}

/** A batch of another version may lack what was not known then; null for what is not a batch. */
function toBatch(value: Partial<EventBatch> | null): EventBatch | null {
  if (typeof value !== 'object' || value === null || !Array.isArray(value.events)) return null
  const { receivedAtMicros, byteLength } = value
  if (typeof receivedAtMicros !== 'number' || typeof byteLength !== 'number') return null
  const events = value.events.map(toEvent)
  return events.includes(null) ? null : { events: events as EventRecord[], receivedAtMicros, byteLength }
}

const NO_DATA = Buffer.from('{}')

function toEvent(value: Partial<EventRecord> | null): EventRecord | null {
  if (typeof value !== 'object' || value === null) return null
  const { eventId, eventType, sessionId, timestampMicros } = value
  const texts = [eventId, eventType, sessionId]
  if (!texts.every((text) => typeof text === 'string') || !Number.isSafeInteger(timestampMicros)) return null
  const { data = NO_DATA, attributes = null, origin = null } = value
  const payloads = [data, attributes, origin?.resource ?? null, origin?.scope ?? null]
  if (!payloads.every((bytes) => bytes === null || bytes instanceof Uint8Array)) return null
  return { ...ABSENT, ...(value as EventRecord), data, attributes, origin }
}

const ABSENT = {
  workflowId: null,
  phaseId: null,
  milestoneId: null,
  observedAtMicros: null,
  severity: null,
  traceId: null,
  spanId: null,
}
