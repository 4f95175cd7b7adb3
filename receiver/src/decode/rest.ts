import { decodeEvent, type EventRecord, InvalidEventError, type Micros } from '@agentic-hooks/events'
import { Budget } from './budget.ts'
import {
  type DecodedRequest,
  type Decoding,
  decodedAtOnce,
  EventTooLargeError,
  type RejectedRecord,
  type RequestBody,
} from './decoded-request.ts'
import { DecoderMemory } from './decoder-memory.ts'
import { END, JsonText, LARGE_EVENT } from './json-text.ts'

/** A sender that gets as many wrong has one mistake in all of them; listing each would only cost time. */
export const MAX_ERRORS = 100
/** So many events, or so much memory for them, take a millisecond or so. */
const STEP_EVENTS = 256
const STEP_BYTES = 2 ** 18
/** What a rejection takes in memory. */
const REJECTION_BYTES = 500

/**
 * The event of a `POST /events`.
 * @throws UndecodableError when the body is not JSON
 * @throws InvalidEventError that lists every wrong field
 */
export function* readRestEvent(body: RequestBody, receivedAtMicros: Micros, budget: Budget): Decoding {
  const memory = DecoderMemory.take(body.byteLength)
  try {
    memory.beginJson(body, budget)
    while (!memory.readJson()) yield
    const text = new JsonText(memory, body, budget)
    body.release?.()
    text.beginSingle()
    const decoded = yield* readEvents(text, () => '', receivedAtMicros, budget)
    return throwIfRejected(decoded)
  } finally {
    DecoderMemory.giveBack(memory)
  }
}

/**
 * The events of a `POST /events/batch`, an array. Events with a wrong field are rejected, the others are not touched.
 * @throws UndecodableError when the body is not JSON
 * @throws InvalidEventError when no event is right; lists the wrong fields, at most some 100, as in `3.session_id`
 */
export function* readRestBatch(body: RequestBody, receivedAtMicros: Micros, budget: Budget): Decoding {
  const decoded = yield* readBatch(body, receivedAtMicros, budget)
  return decoded.batch.events.length ? decoded : throwIfRejected(decoded)
}

/**
 * The same, but all events or none.
 * @throws InvalidEventError when a field of any event is wrong
 */
export function* readStrictRestBatch(body: RequestBody, receivedAtMicros: Micros, budget: Budget): Decoding {
  return throwIfRejected(yield* readBatch(body, receivedAtMicros, budget))
}

function throwIfRejected(decoded: DecodedRequest): DecodedRequest {
  if (decoded.rejected.length === 0) return decoded
  throw new InvalidEventError(decoded.rejected.slice(0, MAX_ERRORS).flatMap(({ fields }) => fields ?? []))
}

/** The event of a `POST /events`, all at once. */
export function decodeRestEvent(
  body: Uint8Array,
  receivedAtMicros: Micros,
  budget = Budget.of(body),
): DecodedRequest {
  const { byteLength } = body
  return decodedAtOnce(readRestEvent({ chunks: [body], byteLength }, receivedAtMicros, budget))
}

/** The events of a `POST /events/batch`, all at once. */
export function decodeRestBatch(
  body: Uint8Array,
  receivedAtMicros: Micros,
  budget = Budget.of(body),
): DecodedRequest {
  const { byteLength } = body
  return decodedAtOnce(readRestBatch({ chunks: [body], byteLength }, receivedAtMicros, budget))
}

function* readBatch(body: RequestBody, receivedAtMicros: Micros, budget: Budget): Decoding {
  const memory = DecoderMemory.take(body.byteLength)
  try {
    memory.beginJson(body, budget)
    while (!memory.readJson()) yield
    const text = new JsonText(memory, body, budget)
    body.release?.()
    if (!text.beginList()) throw new InvalidEventError([{ path: '', message: 'must be an array of events' }])
    return yield* readEvents(text, (index) => `${index}.`, receivedAtMicros, budget)
  } finally {
    DecoderMemory.giveBack(memory)
  }
}

function* readEvents(
  text: JsonText,
  pathOf: (index: number) => string,
  receivedAtMicros: Micros,
  budget: Budget,
): Decoding {
  const events: EventRecord[] = []
  const rejected: RejectedRecord[] = []
  let yieldAtBytes = budget.heldBytes + STEP_BYTES
  for (let index = 0; ; index++) {
    try {
      const event = readEvent(text, pathOf(index), receivedAtMicros, budget)
      if (event === null) break
      events.push(event)
    } catch (error) {
      if (!(error instanceof InvalidEventError)) throw error
      budget.hold(REJECTION_BYTES)
      rejected.push({ eventId: '', reason: error.message, fields: error.fields })
    }
    if (index % STEP_EVENTS !== STEP_EVENTS - 1 && budget.heldBytes < yieldAtBytes) continue
    yieldAtBytes = budget.heldBytes + STEP_BYTES
    yield
  }
  text.json.finish()
  return { batch: { events, receivedAtMicros, byteLength: budget.heldBytes }, rejected }
}

/** The next event; null at the end. */
function readEvent(
  text: JsonText,
  path: string,
  receivedAtMicros: Micros,
  budget: Budget,
): EventRecord | null {
  const found = nextOf(text)
  if (found === END) return null
  budget.addRecord()
  if (found === LARGE_EVENT)
    throw new InvalidEventError([{ path: path.slice(0, -1), message: `is ${budget.sizeReason}` }])
  const event = decodeEvent(text.event, path, receivedAtMicros)
  budget.addEvent(event)
  return event
}

function nextOf(text: JsonText): number {
  try {
    return text.next()
  } catch (error) {
    if (error instanceof EventTooLargeError) return LARGE_EVENT
    throw error
  }
}
