import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import type { EventBatch } from '@agentic-hooks/events'

/*
 * A batch on disk: length and CRC-32 of what follows, its number of events, and the batch itself as
 * structured-clone bytes, which keep every field of it, shared origins included, and cost a microsecond an
 * event. A newer Node reads what an older one wrote.
 */

const LENGTH_AT = 0
const CHECKSUM_AT = 4
const EVENTS_AT = 8
const HEADER_BYTES = 12

export function encodeFrame(batch: EventBatch): Buffer {
  const body = v8.serialize(batch)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.byteLength)
  frame.writeUInt32LE(body.byteLength, LENGTH_AT)
  frame.writeUInt32LE(crc32(body), CHECKSUM_AT)
  frame.writeUInt32LE(batch.events.length, EVENTS_AT)
  frame.set(body, HEADER_BYTES)
  return frame
}

export function eventsIn(frame: Buffer): number {
  return frame.readUInt32LE(EVENTS_AT)
}

/** The batches up to the first byte that is not as it was written. */
export function decodeFrames(bytes: Buffer): { batches: EventBatch[]; isIntact: boolean } {
  const batches: EventBatch[] = []
  let offset = 0
  while (offset + HEADER_BYTES <= bytes.byteLength) {
    const start = offset + HEADER_BYTES
    const body = bytes.subarray(start, start + bytes.readUInt32LE(offset + LENGTH_AT))
    if (crc32(body) !== bytes.readUInt32LE(offset + CHECKSUM_AT)) break
    const batch = deserialize(body)
    if (!batch) break
    batches.push(batch)
    offset = start + body.byteLength
  }
  return { batches, isIntact: offset === bytes.byteLength }
}

function deserialize(body: Buffer): EventBatch | null {
  try {
    return v8.deserialize(body)
  } catch {
    return null // Written by a newer Node, or zeros, whose checksum is zero too.
  }
}
