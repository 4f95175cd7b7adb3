import type { EventRecord } from './batch.ts'
import { InvalidEventError } from './errors.ts'
import type { EventData } from './event.ts'
import { decodeEvent } from './event-json.ts'
import { encodeJsonString, isJsonObject, parseJson } from './json.ts'
import { formatTimestamp, type Micros, nowMicros } from './time.ts'
import { uuidFromText } from './uuid.ts'

/** Bytes of a line's keys, punctuation, ids and time; more than the longest that they can be. */
const LINE_OVERHEAD_BYTES = 512
/** The most bytes that one UTF-16 unit takes as JSON in UTF-8 (`\u001f`). */
const JSON_BYTES_PER_UNIT = 6

/** The events as JSONL: one line each, every line ended. */
export function encodeLines(events: readonly EventRecord[]): Buffer {
  let boundBytes = 0
  for (const event of events) boundBytes += lineBoundBytes(event)
  const lines = Buffer.allocUnsafe(boundBytes)
  let offset = 0
  for (const event of events) offset = writeLine(lines, offset, event)
  return lines.subarray(0, offset)
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

function writeLine(lines: Buffer, start: number, event: EventRecord): number {
  const head =
    `{"event_id":"${event.eventId}","event_type":${encodeJsonString(event.eventType)}` +
    `,"session_id":${encodeJsonString(event.sessionId)},"workflow_id":${encodeName(event.workflowId)}` +
    `,"phase_id":${encodeName(event.phaseId)},"milestone_id":${encodeName(event.milestoneId)},"data":`
  let offset = start + lines.write(head, start)
  offset = copy(lines, offset, event.data)
  let tail = `,"timestamp":"${formatTimestamp(event.timestampMicros)}"`
  if (event.traceId) tail += `,"trace_id":"${event.traceId}"`
  if (event.spanId) tail += `,"span_id":"${event.spanId}"`
  if (event.severity !== null) tail += `,"severity":${event.severity}`
  if (!event.attributes && !event.origin) return offset + lines.write(`${tail}}\n`, offset, 'latin1')
  offset += lines.write(tail, offset, 'latin1')
  offset = writeMember(lines, offset, ',"attributes":', event.attributes)
  offset = writeMember(lines, offset, ',"resource":', event.origin?.resource)
  offset = writeMember(lines, offset, ',"scope":', event.origin?.scope)
  return offset + lines.write('}\n', offset, 'latin1')
}

function encodeName(name: string | null): string {
  return name === null ? 'null' : encodeJsonString(name)
}

function writeMember(
  lines: Buffer,
  offset: number,
  key: string,
  json: Uint8Array | null | undefined,
): number {
  return json ? copy(lines, offset + lines.write(key, offset, 'latin1'), json) : offset
}

function copy(lines: Buffer, offset: number, bytes: Uint8Array): number {
  lines.set(bytes, offset)
  return offset + bytes.byteLength
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
