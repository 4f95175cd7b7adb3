import type { EventRecord } from '../batch.ts'
import { Attribute } from '../conventions.ts'
import { type FieldError, InvalidEventError } from '../errors.ts'
import { type HookEvent, MAX_NAME_LENGTH, MAX_TIMESTAMP_MICROS } from '../event.ts'
import {
  describeJson,
  encodeJson,
  encodeJsonString,
  isJsonObject,
  JsonPayload,
  jsonBytes,
  storableText,
} from './json.ts'
import { type Micros, nowMicros, parseTimestamp } from './time.ts'
import { toUuid, uuidv7Millis } from './uuid.ts'

/**
 * The event of a parsed REST body or line. Unknown keys are ignored; `timestamp` is ISO 8601 or a number of
 * seconds (milliseconds from 20,000,000,000 up) since 1970, and when missing, the one inside a UUIDv7
 * event_id where {@link timeOfId} believes it, else the time of receipt.
 * @param path what to put before the names of wrong fields, as in `3.`
 * @throws InvalidEventError that lists every wrong field
 */
export function decodeEvent(value: unknown, path = '', receivedAtMicros: Micros = nowMicros()): EventRecord {
  if (!isJsonObject(value))
    throw new InvalidEventError([{ path: path.slice(0, -1), message: 'must be a JSON object' }])
  const fields = new Fields(path)
  const eventType = fields.requiredName('event_type', value.event_type)
  if (eventType === '') fields.wrong('event_type', 'is required')
  const sessionId = fields.requiredName('session_id', value.session_id)
  const givenId = fields.text('event_id', value.event_id)
  const id = toUuid(givenId)
  const timestampMicros =
    fields.timestamp('timestamp', value.timestamp) ??
    (givenId ? timeOfId(id.eventId, receivedAtMicros) : null) ??
    receivedAtMicros
  const attributes = fields.payload('attributes', value.attributes, id.original)
  const resource = fields.payload('resource', value.resource)
  const scope = fields.payload('scope', value.scope)
  const record: EventRecord = {
    eventId: id.eventId,
    eventType,
    sessionId,
    workflowId: fields.name('workflow_id', value.workflow_id),
    phaseId: fields.name('phase_id', value.phase_id),
    milestoneId: fields.name('milestone_id', value.milestone_id),
    data: fields.payload('data', value.data) ?? jsonBytes({}),
    timestampMicros,
    observedAtMicros: null,
    severity: fields.severity('severity', value.severity),
    traceId: fields.hex('trace_id', value.trace_id, 32),
    spanId: fields.hex('span_id', value.span_id, 16),
    attributes,
    origin: resource || scope ? { resource, scope } : null,
  }
  fields.throwIfWrong()
  return record
}

/**
 * The record of an event that a program made itself.
 * @throws InvalidEventError that lists every wrong field
 */
export function toEventRecord(event: HookEvent, receivedAtMicros: Micros = nowMicros()): EventRecord {
  const { eventType, sessionId, workflowId, phaseId, milestoneId, data, eventId, timestamp } = event
  return decodeEvent(
    {
      event_id: eventId,
      event_type: eventType,
      session_id: sessionId,
      workflow_id: workflowId,
      phase_id: phaseId,
      milestone_id: milestoneId,
      data,
      timestamp: typeof timestamp === 'number' ? new Date(timestamp) : timestamp,
    },
    '',
    receivedAtMicros,
  )
}

/** 2015-01-01, long before there were UUIDv7s. */
const EARLIEST_ID_MICROS = Date.UTC(2015, 0) * 1000
/** The clocks of two machines differ by minutes, or by a time zone when one is wrong. */
const MAX_CLOCK_SKEW_MICROS = 86_400_000_000

/**
 * The time inside a UUIDv7, so that a retried event without a timestamp keeps its key. Null for one before 2015 or more
 * than a day ahead: other kinds of ids, such as the first drafts of UUIDv7, look the same and mean another time.
 */
export function timeOfId(eventId: string, receivedAtMicros: Micros = nowMicros()): Micros | null {
  const millis = uuidv7Millis(eventId)
  if (millis === null) return null
  const micros = millis * 1000
  const latestMicros = Math.max(receivedAtMicros, nowMicros()) + MAX_CLOCK_SKEW_MICROS
  return micros >= EARLIEST_ID_MICROS && micros <= latestMicros ? micros : null
}

/** Reads the members of one object, one after the other, and remembers each that is wrong. */
class Fields {
  readonly #path: string
  #errors: FieldError[] | null = null

  constructor(path: string) {
    this.#path = path
  }

  text(key: string, value: unknown): string | null {
    if (typeof value === 'string') return value
    if (value === null || value === undefined) return null
    return this.wrong(key, `must be a string, not ${describeJson(value)}`)
  }

  name(key: string, value: unknown): string | null {
    const text = this.text(key, value)
    if (text === null || text.length <= MAX_NAME_LENGTH) return text && storableText(text)
    return this.wrong(key, `is ${text.length} characters long; at most ${MAX_NAME_LENGTH} can be stored`)
  }

  /** `?` for one that is wrong. */
  requiredName(key: string, value: unknown): string {
    if (value !== null && value !== undefined) return this.name(key, value) ?? '?'
    this.wrong(key, 'is required')
    return '?'
  }

  /** @param originalId to be one of its members */
  payload(key: string, value: unknown, originalId: string | null = null): Uint8Array | null {
    if (value === null || value === undefined) return originalId === null ? null : withId('{}', originalId)
    if (originalId !== null && isJsonObject(value)) return withId(encodeJson(value), originalId)
    if (value instanceof JsonPayload) return value.bytes
    if (isJsonObject(value)) return jsonBytes(value)
    return this.wrong(key, `must be an object, not ${describeJson(value)}`)
  }

  severity(key: string, value: unknown): number | null {
    if (value === null || value === undefined || value === 0) return null
    if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 24) return Number(value)
    return this.wrong(key, 'must be an OpenTelemetry severity number, an integer from 1 to 24')
  }

  hex(key: string, value: unknown, digits: number): string | null {
    const text = this.text(key, value)
    if (!text) return null
    if (text.length === digits && /^[0-9a-f]+$/i.test(text)) return text.toLowerCase()
    return this.wrong(key, `must be ${digits} hexadecimal digits`)
  }

  timestamp(key: string, value: unknown): Micros | null {
    if (value === null || value === undefined) return null
    const micros = toMicros(value)
    if (micros === null)
      return this.wrong(key, 'must be an ISO 8601 time such as 2026-11-22T15:36:00.123456Z')
    if (micros >= 0 && micros <= MAX_TIMESTAMP_MICROS) return micros || null
    return this.wrong(key, 'must be from 1970 to 2255-06-05')
  }

  throwIfWrong(): void {
    if (this.#errors) throw new InvalidEventError(this.#errors)
  }

  wrong(key: string, message: string): null {
    this.#errors ??= []
    this.#errors.push({ path: this.#path + key, message })
    return null
  }
}

/** An object with one more member; of two with one key the last counts. */
function withId(json: string, id: string): Uint8Array {
  const comma = json === '{}' ? '' : ','
  return Buffer.from(`${json.slice(0, -1)}${comma}"${Attribute.EventId}":${encodeJsonString(id)}}`)
}

function toMicros(value: unknown): Micros | null {
  if (typeof value === 'string') return parseTimestamp(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.getTime() * 1000
  return typeof value === 'number' ? numberToMicros(value) : null
}

/** As pydantic reads numbers, which the original service did: seconds up to 2e10, milliseconds above. */
function numberToMicros(value: number): Micros {
  // These have an exponent in their text: less than a microsecond, and far beyond what can be stored.
  if (Math.abs(value) < 1e-6) return 0
  if (Math.abs(value) >= 1e21) return value
  const fractionDigits = Math.abs(value) <= 2e10 ? 6 : 3
  // Shifts the point in the text: multiplying 1795361760.123456 by a million is often a microsecond short.
  const [whole, fraction = ''] = String(value).split('.')
  return Number(whole + fraction.padEnd(fractionDigits, '0').slice(0, fractionDigits))
}
