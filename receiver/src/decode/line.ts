import {
  decodeEvent,
  type EventRecord,
  InvalidEventError,
  JsonPayload,
  type Micros,
  uuidFromText,
} from '@agentic-hooks/events'
import { Budget } from './budget.ts'
import { DecoderMemory } from './decoder-memory.ts'
import { bitsOf, EVENT_FIELDS } from './event-fields.ts'
import { JsonText, type SentEvent } from './json-text.ts'

/** What an older, flat line has besides its data. */
const FLAT_FIELDS = bitsOf([
  'event_id',
  'event_type',
  'session_id',
  'workflow_id',
  'phase_id',
  'milestone_id',
  'timestamp',
])
const ALL_FIELDS = bitsOf(EVENT_FIELDS)
/** Who imports a file has the lines already, however long. */
const LIMITS = { maxEventBytes: 2 ** 30, maxJsonValues: 2 ** 30 }

/**
 * The event of one line of JSONL: what `decodeLine` of `@agentic-hooks/events` makes of it, in a third of the time.
 * @param receivedAtMicros the time of a line that names none
 * @throws UndecodableError when the line is not JSON
 * @throws InvalidEventError when it is not an event
 */
export function decodeLineBytes(line: Uint8Array, receivedAtMicros: Micros): EventRecord {
  const memory = DecoderMemory.take(line.byteLength)
  try {
    const { byteLength } = line
    const body = { chunks: [line], byteLength }
    const budget = Budget.of(line, LIMITS)
    memory.beginJson(body, budget)
    while (!memory.readJson());
    const text = new JsonText(memory, body, budget)
    const event = decodeEvent(sentBy(text, line), '', receivedAtMicros)
    text.json.finish()
    return event
  } finally {
    DecoderMemory.giveBack(memory)
  }
}

function sentBy(text: JsonText, line: Uint8Array): SentEvent {
  text.beginSingle()
  text.next()
  const { event } = text
  if (event === null) throw new InvalidEventError([{ path: '', message: 'must be a JSON object' }])
  event.session_id ??= ''
  event.event_id ||= uuidFromText(trimmed(line))
  if (text.has('data')) {
    const { data } = event
    const isMap = data === null || data instanceof JsonPayload
    if (isMap && text.hasOthers(ALL_FIELDS))
      event.data = text.others(ALL_FIELDS, data === null ? '' : data.text().slice(1, -1))
    return event
  }
  event.data = text.others(FLAT_FIELDS, '')
  event.severity = null
  event.trace_id = null
  event.span_id = null
  event.attributes = null
  event.resource = null
  event.scope = null
  return event
}

/** What the id of a line without one is made of. */
function trimmed(line: Uint8Array): string {
  return Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString().trim()
}
