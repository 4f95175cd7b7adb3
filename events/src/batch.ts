import { parseJsonBytes } from './codec/json.ts'
import { type Micros, nowMicros } from './codec/time.ts'
import type { EventData, StoredEvent } from './event.ts'

/**
 * One event as exporters get it. Everything a store needs as a column is a plain value that every store can
 * hold; payloads are the bytes of a JSON object, made once while decoding and only copied from then on.
 */
export interface EventRecord {
  /** A UUID in lower case. */
  readonly eventId: string
  readonly eventType: string
  /** Empty when the sender named no session. */
  readonly sessionId: string
  readonly workflowId: string | null
  readonly phaseId: string | null
  readonly milestoneId: string | null
  /** A JSON object in UTF-8, on one line. */
  readonly data: Uint8Array
  readonly timestampMicros: Micros
  readonly observedAtMicros: Micros | null
  /** OpenTelemetry severity number, 1 to 24. */
  readonly severity: number | null
  /** 32 hex digits in lower case. */
  readonly traceId: string | null
  /** 16 hex digits in lower case. */
  readonly spanId: string | null
  /** A JSON object in UTF-8, on one line: what the sender said about the record and that is not its data. */
  readonly attributes: Uint8Array | null
  /** Shared by reference among the records of one resource and scope. */
  readonly origin: Origin | null
}

/** Who emitted: OpenTelemetry's resource and instrumentation scope, each a JSON object in UTF-8, on one line. */
export interface Origin {
  /** The resource's attributes. */
  readonly resource: Uint8Array | null
  /** `name`, `version` and `attributes`, each where given. */
  readonly scope: Uint8Array | null
}

/**
 * What one request brought. It never changes and its bytes are its own (no pooled buffers), so that anyone
 * may keep it: an aborted request's batch may still be on its way into a store.
 */
export interface EventBatch {
  readonly events: readonly EventRecord[]
  readonly receivedAtMicros: Micros
  /** About the memory that it holds; the size of the decompressed request. */
  readonly byteLength: number
}

/** A batch of records that did not come as one request. */
export function batchOf(events: readonly EventRecord[], receivedAtMicros = nowMicros()): EventBatch {
  let byteLength = 0
  for (const { data, attributes } of events) {
    byteLength += RECORD_OVERHEAD_BYTES + data.byteLength + (attributes?.byteLength ?? 0)
  }
  return { events, receivedAtMicros, byteLength }
}

const RECORD_OVERHEAD_BYTES = 200

/** The friendly object of a record, its payloads parsed. */
export function toHookEvent(record: EventRecord): StoredEvent {
  return {
    eventId: record.eventId,
    eventType: record.eventType,
    sessionId: record.sessionId,
    workflowId: record.workflowId,
    phaseId: record.phaseId,
    milestoneId: record.milestoneId,
    data: parseBytes(record.data) ?? {},
    timestamp: new Date(Math.floor(record.timestampMicros / 1000)),
    timestampMicros: record.timestampMicros,
    severity: record.severity,
    traceId: record.traceId,
    spanId: record.spanId,
    attributes: parseBytes(record.attributes),
    resource: parseBytes(record.origin?.resource ?? null),
    scope: parseBytes(record.origin?.scope ?? null),
  }
}

function parseBytes(bytes: Uint8Array | null): EventData | null {
  return bytes && parseJsonBytes(bytes)
}
