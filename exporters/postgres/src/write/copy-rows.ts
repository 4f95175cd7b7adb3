import type { EventRecord, Micros, Origin } from '@agentic-hooks/events'

/** Events that came together. */
export interface RowBatch {
  readonly events: readonly EventRecord[]
  readonly receivedAtMicros: Micros
  /** The id in hook_resources, 16 bytes, of each origin that the events have. */
  readonly resources: ReadonlyMap<Origin, { readonly id: Uint8Array }>
}

/** In the order of the bytes that {@link encodeRows} writes. */
export const COPY_COLUMNS =
  'event_id, "timestamp", received_at, observed_at, severity, resource_id, ' +
  'event_type, session_id, workflow_id, phase_id, milestone_id, trace_id, span_id, data, attributes'
const COLUMN_COUNT = 15

/** PostgreSQL counts microseconds from 2000. */
const POSTGRES_EPOCH_MICROS = 946_684_800_000_000
const TWO_POW_32 = 2 ** 32
const COPY_DATA = 0x64 // 'd'
const MESSAGE_HEADER_BYTES = 5
/** Everything of a row that does not depend on its names and payloads; rounded up. */
const ROW_OVERHEAD_BYTES = 176
/** Longer texts are written by the engine; for shorter ones the call costs more than it saves. */
const SHORT_TEXT_UNITS = 48
/** The most bytes that one UTF-16 unit takes in UTF-8. */
const UTF8_BYTES_PER_UNIT = 3

/**
 * Rows of binary COPY (PostgreSQL manual, COPY, "Binary Format") inside one CopyData message of the wire
 * protocol, so that the bytes go to the socket as they are.
 * @param memory of at least {@link boundBytes}; the message is a part of it
 */
export function encodeRows(batches: readonly RowBatch[], memory: Buffer): Buffer {
  let offset = MESSAGE_HEADER_BYTES
  const rows = new Rows(memory)
  for (const batch of batches) offset = writeBatch(rows, offset, batch)
  memory[0] = COPY_DATA
  writeInt32(rows, 1, offset - 1)
  return memory.subarray(0, offset)
}

/** The memory that rows are written into. */
class Rows {
  readonly bytes: Buffer
  readonly view: DataView

  constructor(memory: Buffer) {
    this.bytes = memory
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength)
  }
}

function writeBatch(rows: Rows, start: number, { events, receivedAtMicros, resources }: RowBatch): number {
  let offset = start
  let origin: Origin | null = null
  let resourceId: Uint8Array | null = null
  for (const event of events) {
    if (event.origin !== origin) {
      origin = event.origin
      resourceId = (origin && resources.get(origin)?.id) ?? null
    }
    offset = writeInt16(rows, offset, COLUMN_COUNT)
    offset = writeUuid(rows, offset, event.eventId)
    offset = writeTimestamp(rows, offset, event.timestampMicros)
    offset = writeTimestamp(rows, offset, receivedAtMicros)
    offset = writeTimestamp(rows, offset, event.observedAtMicros)
    offset = writeSmallint(rows, offset, event.severity)
    offset = writeBytes(rows, offset, resourceId)
    offset = writeText(rows, offset, event.eventType)
    offset = writeText(rows, offset, event.sessionId)
    offset = writeText(rows, offset, event.workflowId)
    offset = writeText(rows, offset, event.phaseId)
    offset = writeText(rows, offset, event.milestoneId)
    offset = writeText(rows, offset, event.traceId)
    offset = writeText(rows, offset, event.spanId)
    offset = writeJsonb(rows, offset, event.data)
    offset = writeJsonb(rows, offset, event.attributes)
  }
  return offset
}

/** As many bytes as {@link encodeRows} needs at most. */
export function boundBytes(events: readonly EventRecord[]): number {
  let bound = MESSAGE_HEADER_BYTES
  for (const event of events) {
    const units =
      event.eventType.length +
      event.sessionId.length +
      (event.workflowId?.length ?? 0) +
      (event.phaseId?.length ?? 0) +
      (event.milestoneId?.length ?? 0)
    bound +=
      ROW_OVERHEAD_BYTES +
      units * UTF8_BYTES_PER_UNIT +
      event.data.byteLength +
      (event.attributes?.byteLength ?? 0)
  }
  return bound
}

// Each writes one field, its length before its value, and returns the offset behind it.

function writeNull(rows: Rows, offset: number): number {
  return writeInt32(rows, offset, -1)
}

function writeUuid(rows: Rows, start: number, uuid: string): number {
  const { bytes } = rows
  let offset = writeInt32(rows, start, 16)
  let codes = 0
  let digits = uuid.length === 36 ? 0 : NO_DIGIT
  for (let index = 0; index < DIGIT_PAIRS.length; index++) {
    const at = DIGIT_PAIRS[index]!
    const first = uuid.charCodeAt(at)
    const second = uuid.charCodeAt(at + 1)
    const high = NIBBLES[first & 0x7f]!
    const low = NIBBLES[second & 0x7f]!
    codes |= first | second
    digits |= high | low
    bytes[offset++] = (high << 4) | low
  }
  if (digits < NO_DIGIT && codes < 0x80) return offset
  // A UUID of 17 bytes makes PostgreSQL refuse this row, rather than a batch that brings a wrong id be lost.
  writeInt32(rows, start, 17)
  return offset + 1
}

function writeTimestamp(rows: Rows, start: number, micros: Micros | null): number {
  if (micros === null) return writeNull(rows, start)
  const value = micros - POSTGRES_EPOCH_MICROS
  const high = Math.floor(value / TWO_POW_32)
  // The remainder of a double is a call of its own.
  const low = value - high * TWO_POW_32
  return writeInt32(rows, writeInt32(rows, writeInt32(rows, start, 8), high), low)
}

function writeSmallint(rows: Rows, offset: number, value: number | null): number {
  if (value === null) return writeNull(rows, offset)
  return writeInt16(rows, writeInt32(rows, offset, 2), value)
}

function writeBytes(rows: Rows, start: number, bytes: Uint8Array | null): number {
  if (!bytes) return writeNull(rows, start)
  return copy(rows, writeInt32(rows, start, bytes.byteLength), bytes)
}

function writeText(rows: Rows, offset: number, text: string | null): number {
  if (text === null) return writeNull(rows, offset)
  if (text.length <= SHORT_TEXT_UNITS && writeAscii(rows.bytes, offset + 4, text)) {
    return writeInt32(rows, offset, text.length) + text.length
  }
  const byteLength = rows.bytes.write(text, offset + 4)
  return writeInt32(rows, offset, byteLength) + byteLength
}

/** Writes the text if it is ASCII; false when it is not. */
function writeAscii(bytes: Buffer, offset: number, text: string): boolean {
  let codes = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    codes |= code
    bytes[offset + index] = code
  }
  return codes < 0x80
}

function writeJsonb(rows: Rows, start: number, json: Uint8Array | null): number {
  if (json === null) return writeNull(rows, start)
  const offset = writeInt32(rows, start, json.byteLength + 1)
  rows.bytes[offset] = 1 // version of the format
  return copy(rows, offset + 1, json)
}

function writeInt16(rows: Rows, offset: number, value: number): number {
  rows.view.setInt16(offset, value)
  return offset + 2
}

function writeInt32(rows: Rows, offset: number, value: number): number {
  rows.view.setInt32(offset, value)
  return offset + 4
}

function copy(rows: Rows, offset: number, bytes: Uint8Array): number {
  rows.bytes.set(bytes, offset)
  return offset + bytes.byteLength
}

/** Where the two digits of each byte of a UUID begin. */
const DIGIT_PAIRS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]
const NO_DIGIT = 0x10
/** By character code, the value of a hexadecimal digit. */
const NIBBLES = new Uint8Array(128).fill(NO_DIGIT)
for (let digit = 0; digit < 16; digit++) {
  for (const character of [digit.toString(16), digit.toString(16).toUpperCase()]) {
    NIBBLES[character.charCodeAt(0)] = digit
  }
}
