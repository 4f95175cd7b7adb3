import {
  decodeEvent,
  type EventData,
  type EventType,
  InvalidEventError,
  type Micros,
} from '@agentic-hooks/events'
import { Budget } from '../decode/budget.ts'
import {
  type Decode,
  type DecodedRequest,
  decodedAtOnce,
  EventTooLargeError,
} from '../decode/decoded-request.ts'
import { DecoderMemory } from '../decode/decoder-memory.ts'
import { JsonText } from '../decode/json-text.ts'

/** How the hooks of one coding agent become events. */
export interface HookMapping {
  /** The last part of the route, as in `/hooks/claude-code`. */
  readonly agent: string
  /** The events of one hook's body, in their order; an unknown event is a custom type, never refused. */
  toEvents(payload: HookPayload): MappedEvent[]
}

/** The JSON object that an agent posted. */
export interface HookPayload {
  /**
   * A member by its name, which has at most 32 ASCII characters: a string, number, boolean or null as it is, an object
   * or array as a JsonPayload. Undefined when there is none.
   */
  member(name: string): unknown
}

/** Not yet checked: the payload is somebody else's. */
export interface MappedEvent {
  readonly eventType: EventType
  readonly sessionId: unknown
  /** Whether `data` is the payload, whole, and what is added to it; else that alone. */
  readonly withPayload: boolean
  readonly added: EventData
}

/**
 * Reads the events of one hook's body. They get new ids: agents do not send a hook again.
 * @throws UndecodableError when the body is not JSON
 * @throws InvalidEventError when it is no hook of that agent
 */
export function readHook(mapping: HookMapping): Decode {
  return function* (body, receivedAtMicros, budget) {
    const memory = DecoderMemory.take(body.byteLength)
    try {
      memory.beginJson(body, budget)
      while (!memory.readJson()) yield
      const text = new JsonText(memory, body, budget)
      body.release?.()
      const events = eventsOf(text, mapping, receivedAtMicros, budget)
      text.json.finish()
      return { batch: { events, receivedAtMicros, byteLength: budget.heldBytes }, rejected: [] }
    } finally {
      DecoderMemory.giveBack(memory)
    }
  }
}

/** The same, all at once. */
export function decodeHook(mapping: HookMapping) {
  const read = readHook(mapping)
  return (body: Uint8Array, receivedAtMicros: Micros, budget = Budget.of(body)): DecodedRequest => {
    const { byteLength } = body
    return decodedAtOnce(read({ chunks: [body], byteLength }, receivedAtMicros, budget))
  }
}

function eventsOf(text: JsonText, mapping: HookMapping, receivedAtMicros: Micros, budget: Budget) {
  if (!text.isObject) {
    throw new InvalidEventError([{ path: '', message: `must be a JSON object, a hook of ${mapping.agent}` }])
  }
  try {
    return mapping.toEvents(text).map(({ eventType, sessionId, withPayload, added }) => {
      budget.addRecord()
      const data = withPayload ? text.payload(added) : added
      const sent = { event_type: eventType, session_id: sessionId, data }
      const event = decodeEvent(sent, '', receivedAtMicros)
      budget.addEvent(event)
      return event
    })
  } catch (error) {
    if (!(error instanceof EventTooLargeError)) throw error
    throw new InvalidEventError([{ path: '', message: `is ${budget.sizeReason}` }])
  }
}
