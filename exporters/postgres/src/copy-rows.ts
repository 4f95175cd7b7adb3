import type { EventRecord, Micros, Origin } from '@agentic-hooks/events'

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
/** Everything of a row that does not depend on its strings and payloads; rounded up. */
const ROW_OVERHEAD_BYTES = 176
/** The most bytes that one UTF-16 unit takes in UTF-8. */
const UTF8_BYTES_PER_UNIT = 3

/**
 * Rows of binary COPY (PostgreSQL manual, COPY, "Binary Format"), inside one CopyData message of the wire
 * protocol, so that the buffer goes to the socket as it is.
 */
export function encodeRows(
  events: readonly EventRecord[],
  receivedAtMicros: Micros,
  resources: ReadonlyMap<Origin, { readonly id: Uint8Array }>,
): Buffer {
  const rows = new RowWriter(boundBytes(events))
  for (const event of events) {
    rows.int16(COLUMN_COUNT)
    rows.uuid(event.eventId)
    rows.timestamp(event.timestampMicros)
    rows.timestamp(receivedAtMicros)
    rows.timestamp(event.observedAtMicros)
    rows.smallint(event.severity)
    rows.bytes((event.origin && resources.get(event.origin)?.id) ?? null)
    rows.text(event.eventType)
    rows.text(event.sessionId)
    rows.text(event.workflowId)
    rows.text(event.phaseId)
    rows.text(event.milestoneId)
    rows.text(event.traceId)
    rows.text(event.spanId)
    rows.jsonb(event.data)
    rows.jsonb(event.attributes)
  }
  return rows.message()
}

function boundBytes(events: readonly EventRecord[]): number {
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

const NIBBLES = new Uint8Array(128)
for (let digit = 0; digit < 16; digit++) NIBBLES[digit.toString(16).charCodeAt(0)] = digit

class RowWriter {
  readonly #buffer: Buffer
  #offset = MESSAGE_HEADER_BYTES

  constructor(boundBytes: number) {
    this.#buffer = Buffer.allocUnsafe(boundBytes)
  }

  message(): Buffer {
    const message = this.#buffer.subarray(0, this.#offset)
    message[0] = COPY_DATA
    message.writeInt32BE(this.#offset - 1, 1)
    return message
  }

  int16(value: number): void {
    this.#buffer[this.#offset++] = value >>> 8
    this.#buffer[this.#offset++] = value
  }

  #int32(value: number): void {
    this.#buffer[this.#offset++] = value >>> 24
    this.#buffer[this.#offset++] = value >>> 16
    this.#buffer[this.#offset++] = value >>> 8
    this.#buffer[this.#offset++] = value
  }

  uuid(uuid: string): void {
    this.#int32(16)
    for (let at = 0; at < 36; at += 2) {
      if (at === 8 || at === 13 || at === 18 || at === 23) at++
      this.#buffer[this.#offset++] = (NIBBLES[uuid.charCodeAt(at)]! << 4) | NIBBLES[uuid.charCodeAt(at + 1)]!
    }
  }

  timestamp(micros: Micros | null): void {
    if (this.#isNull(micros)) return
    const value = micros - POSTGRES_EPOCH_MICROS
    this.#int32(8)
    this.#int32(Math.floor(value / TWO_POW_32))
    this.#int32(value % TWO_POW_32)
  }

  smallint(value: number | null): void {
    if (this.#isNull(value)) return
    this.#int32(2)
    this.int16(value)
  }

  bytes(bytes: Uint8Array | null): void {
    if (this.#isNull(bytes)) return
    this.#int32(bytes.byteLength)
    this.#copy(bytes)
  }

  text(text: string | null): void {
    if (this.#isNull(text)) return
    const byteLength = this.#buffer.write(text, this.#offset + 4)
    this.#int32(byteLength)
    this.#offset += byteLength
  }

  jsonb(json: Uint8Array | null): void {
    if (this.#isNull(json)) return
    this.#int32(json.byteLength + 1)
    this.#buffer[this.#offset++] = 1 // version of the format
    this.#copy(json)
  }

  #isNull<T>(value: T | null): value is null {
    if (value === null) this.#int32(-1)
    return value === null
  }

  #copy(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#offset)
    this.#offset += bytes.byteLength
  }
}
