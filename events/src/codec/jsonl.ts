import type { EventRecord, Origin } from '../batch.ts'
import { InvalidEventError } from '../errors.ts'
import type { EventData } from '../event.ts'
import { decodeEvent } from './event-json.ts'
import { encodeJsonString, isJsonObject, parseJson } from './json.ts'
import { LINE_CHECKSUM_KEY } from './sealed-line.ts'
import { formatTimestamp, type Micros, nowMicros } from './time.ts'
import { uuidFromText } from './uuid.ts'

/** Bytes of a line's keys, punctuation, ids and time; more than the longest that they can be. */
const LINE_OVERHEAD_BYTES = 512
/** The most bytes that one UTF-16 unit takes as JSON in UTF-8 (`\u001f`). */
const JSON_BYTES_PER_UNIT = 6
/** Memory that is kept from one call to the next. */
const MAX_KEPT_BYTES = 2 ** 20

let kept = Buffer.alloc(0)

/** The events as JSONL: one line each, every line ended. */
export function encodeLines(events: readonly EventRecord[]): Buffer {
  const memory = memoryFor(events)
  const writer = new LineWriter(memory)
  let offset = 0
  for (const event of events) offset = writer.write(offset, event)
  return Buffer.from(memory.subarray(0, offset))
}

/** As much as the lines take at most, which is far more than they take: what is returned is a copy. */
function memoryFor(events: readonly EventRecord[]): Buffer {
  let bytes = 0
  for (const event of events) bytes += lineBoundBytes(event)
  if (bytes > MAX_KEPT_BYTES) return Buffer.allocUnsafe(bytes)
  if (bytes > kept.byteLength) kept = Buffer.allocUnsafeSlow(bytes)
  return kept
}

function lineBoundBytes(event: EventRecord): number {
  const names =
    event.eventType.length +
    event.sessionId.length +
    (event.workflowId?.length ?? 0) +
    (event.phaseId?.length ?? 0) +
    (event.milestoneId?.length ?? 0)
  return (
    LINE_OVERHEAD_BYTES +
    names * JSON_BYTES_PER_UNIT +
    event.data.byteLength +
    (event.attributes?.byteLength ?? 0) +
    (event.origin?.resource?.byteLength ?? 0) +
    (event.origin?.scope?.byteLength ?? 0)
  )
}

/** Where something is in the lines. */
interface Place {
  readonly start: number
  readonly end: number
}

/** Encodes once, and copies then, what an event has in common with those before it: names, resource and scope. */
class LineWriter {
  readonly #lines: Buffer
  #previous: EventRecord | null = null
  /** By event type, the names of events with the ids of the previous one. */
  readonly #names = new Map<string, Place>()
  /** What ends the line of the previous event. */
  #ending: Place = { start: 0, end: 0 }

  /** @param lines long enough for all that is written */
  constructor(lines: Buffer) {
    this.#lines = lines
  }

  /** Returns the offset behind the line. */
  write(start: number, event: EventRecord): number {
    const previous = this.#previous
    this.#previous = event
    if (previous && !haveSameIds(event, previous)) this.#names.clear()
    let offset = this.#writeAscii(start, `{"event_id":"${event.eventId}`)
    offset = this.#writeNames(offset, event)
    offset = this.#writeBytes(offset, event.data)
    offset = this.#writeAscii(offset, timeAndTrace(event))
    if (event.attributes) offset = this.#writeBytes(offset, event.attributes)
    return previous?.origin === event.origin
      ? this.#repeat(offset, this.#ending)
      : this.#writeEnding(offset, event.origin)
  }

  #writeNames(start: number, event: EventRecord): number {
    const known = this.#names.get(event.eventType)
    if (known) return this.#repeat(start, known)
    const names =
      `","event_type":${encodeJsonString(event.eventType)}` +
      `,"session_id":${encodeJsonString(event.sessionId)},"workflow_id":${encodeName(event.workflowId)}` +
      `,"phase_id":${encodeName(event.phaseId)},"milestone_id":${encodeName(event.milestoneId)},"data":`
    const end = start + this.#lines.write(names, start)
    this.#names.set(event.eventType, { start, end })
    return end
  }

  #writeEnding(start: number, origin: Origin | null): number {
    let offset = start
    if (origin?.resource) offset = this.#writeBytes(this.#writeAscii(offset, ',"resource":'), origin.resource)
    if (origin?.scope) offset = this.#writeBytes(this.#writeAscii(offset, ',"scope":'), origin.scope)
    const end = this.#writeAscii(offset, '}\n')
    this.#ending = { start, end }
    return end
  }

  #repeat(offset: number, { start, end }: Place): number {
    this.#lines.copyWithin(offset, start, end)
    return offset + end - start
  }

  #writeAscii(offset: number, text: string): number {
    return offset + this.#lines.write(text, offset, 'latin1')
  }

  #writeBytes(offset: number, bytes: Uint8Array): number {
    this.#lines.set(bytes, offset)
    return offset + bytes.byteLength
  }
}

function timeAndTrace({ timestampMicros, traceId, spanId, severity, attributes }: EventRecord): string {
  let text = `,"timestamp":"${formatTimestamp(timestampMicros)}"`
  if (traceId) text += `,"trace_id":"${traceId}"`
  if (spanId) text += `,"span_id":"${spanId}"`
  if (severity !== null) text += `,"severity":${severity}`
  return attributes ? `${text},"attributes":` : text
}

function haveSameIds(a: EventRecord, b: EventRecord): boolean {
  return (
    a.sessionId === b.sessionId &&
    a.workflowId === b.workflowId &&
    a.phaseId === b.phaseId &&
    a.milestoneId === b.milestoneId
  )
}

function encodeName(name: string | null): string {
  return name === null ? 'null' : encodeJsonString(name)
}

/** Keys of a line that are not data, whatever its age. */
const FLAT_KEYS = [
  'event_id',
  'event_type',
  'session_id',
  'workflow_id',
  'phase_id',
  'milestone_id',
  'timestamp',
] as const
const KEYS: ReadonlySet<string> = new Set([
  ...FLAT_KEYS,
  'data',
  'trace_id',
  'span_id',
  'severity',
  'attributes',
  'resource',
  'scope',
  LINE_CHECKSUM_KEY,
])

/**
 * The event of one line; a missing session is empty, and a missing event_id is derived from the line, so that
 * reading it twice gives the same event. A line without `data` is one of the older flat lines, which knew no
 * OpenTelemetry fields: all its other keys are data.
 * @param receivedAtMicros the time of a line that names none
 * @throws SyntaxError when the line is not JSON
 * @throws InvalidEventError when it is not an event
 */
export function decodeLine(line: string, receivedAtMicros: Micros = nowMicros()): EventRecord {
  const value = parseJson(line)
  if (!isJsonObject(value)) throw new InvalidEventError([{ path: '', message: 'must be a JSON object' }])
  const event = 'data' in value ? withExtraData(value) : fromFlat(value)
  event.session_id ??= ''
  event.event_id ||= uuidFromText(line.trim())
  return decodeEvent(event, '', receivedAtMicros)
}

/** A line as it is written today, with the keys it does not know moved to its data. */
function withExtraData(value: EventData): EventData {
  const extraKeys = Object.keys(value).filter((key) => !KEYS.has(key))
  if (extraKeys.length === 0 || !isJsonObject(value.data ?? {})) return value
  const extra = Object.fromEntries(extraKeys.map((key) => [key, value[key]]))
  return { ...value, data: { ...extra, ...(value.data as EventData | null) } }
}

function fromFlat(value: EventData): EventData {
  const data = { ...value }
  const event: EventData = { data }
  for (const key of FLAT_KEYS) {
    event[key] = value[key]
    delete data[key]
  }
  return event
}
