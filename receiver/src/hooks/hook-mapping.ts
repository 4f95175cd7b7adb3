import {
  decodeEvent,
  type EventData,
  type EventType,
  InvalidEventError,
  isJsonObject,
  type Micros,
} from '@agentic-hooks/events'
import { Budget } from '../decode/budget.ts'
import type { DecodedRequest } from '../decode/decoded-request.ts'
import { parseBody } from '../decode/rest.ts'

/** How the hooks of one coding agent become events. */
export interface HookMapping {
  /** The last part of the route, as in `/hooks/claude-code`. */
  readonly agent: string
  /** The events of one hook's body, in their order; an unknown event is a custom type, never refused. */
  toEvents(payload: EventData): MappedEvent[]
}

/** Not yet checked: the payload is somebody else's. */
export interface MappedEvent {
  readonly eventType: EventType
  readonly sessionId: unknown
  /** The payload, whole, and what the mapping adds. */
  readonly data: EventData
}

/**
 * The events of one hook's body. They get new ids: agents do not send a hook again.
 * @throws UndecodableError when the body is not JSON
 * @throws InvalidEventError when it is no hook of that agent
 */
export function decodeHook(mapping: HookMapping) {
  return (body: Uint8Array, receivedAtMicros: Micros, budget = Budget.of(body)): DecodedRequest => {
    const payload = parseBody(body)
    if (!isJsonObject(payload)) {
      throw new InvalidEventError([
        { path: '', message: `must be a JSON object, a hook of ${mapping.agent}` },
      ])
    }
    const events = mapping
      .toEvents(payload)
      .map(({ eventType, sessionId, data }) =>
        decodeEvent({ event_type: eventType, session_id: sessionId, data }, '', receivedAtMicros),
      )
    budget.addEvents(events)
    return { batch: { events, receivedAtMicros, byteLength: budget.heldBytes }, rejected: [] }
  }
}
