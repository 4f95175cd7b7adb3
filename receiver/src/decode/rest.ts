import {
  decodeEvent,
  type EventRecord,
  type FieldError,
  InvalidEventError,
  type Micros,
  parseJson,
} from '@agentic-hooks/events'
import { Budget } from './budget.ts'
import { type DecodedRequest, UndecodableError } from './decoded-request.ts'

/** Whoever gets as many wrong has one mistake in all of them; listing each would only cost time. */
const MAX_ERRORS = 100

/**
 * The event of a `POST /events`.
 * @throws UndecodableError when the body is not JSON
 * @throws InvalidEventError that lists every wrong field
 */
export function decodeRestEvent(
  body: Uint8Array,
  receivedAtMicros: Micros,
  budget = Budget.of(body),
): DecodedRequest {
  return decoded([decodeEvent(parseBody(body), '', receivedAtMicros)], receivedAtMicros, budget)
}

/**
 * The events of a `POST /events/batch`, an array: all of them, or none when a field of one is wrong.
 * @throws UndecodableError when the body is not JSON
 * @throws InvalidEventError that lists wrong fields of every event, at most some 100, as in `3.session_id`
 */
export function decodeRestBatch(
  body: Uint8Array,
  receivedAtMicros: Micros,
  budget = Budget.of(body),
): DecodedRequest {
  const values = parseBody(body)
  if (!Array.isArray(values))
    throw new InvalidEventError([{ path: '', message: 'must be an array of events' }])
  if (values.length > budget.maxParts) throw budget.tooManyParts()
  const events: EventRecord[] = []
  const errors: FieldError[] = []
  for (const [index, value] of values.entries()) {
    try {
      events.push(decodeEvent(value, `${index}.`, receivedAtMicros))
    } catch (error) {
      if (!(error instanceof InvalidEventError)) throw error
      errors.push(...error.fields)
      if (errors.length >= MAX_ERRORS) break
    }
  }
  if (errors.length) throw new InvalidEventError(errors)
  return decoded(events, receivedAtMicros, budget)
}

function decoded(events: EventRecord[], receivedAtMicros: Micros, budget: Budget): DecodedRequest {
  budget.addEvents(events)
  return { batch: { events, receivedAtMicros, byteLength: budget.heldBytes }, rejected: [] }
}

/** The byte order mark, which Windows PowerShell puts before what it pipes. */
const BYTE_ORDER_MARK = 0xfeff

/**
 * A JSON body, invalid UTF-8 replaced by U+FFFD, a byte order mark before it skipped.
 * @throws UndecodableError
 */
export function parseBody(body: Uint8Array): unknown {
  try {
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
    return parseJson(text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text)
  } catch (error) {
    throw new UndecodableError(`the body is not JSON: ${withoutExcerpt((error as Error).message)}`)
  }
}

/** What JSON.parse says without the part of the text that it quotes: payloads are not for logs. */
function withoutExcerpt(message: string): string {
  return message.replace(/, (?:\.{3})?".*"(?:\.{3})? is not valid JSON$/s, '')
}
