import {
  Attribute,
  EVENT_NAME_PREFIX,
  type EventRecord,
  encodeJsonString,
  MAX_NAME_LENGTH,
  MAX_TIMESTAMP_MICROS,
  type Micros,
  type Origin,
  type Rejection,
  toUuid,
} from '@agentic-hooks/events'
import type { Budget } from './budget.ts'
import { type DecodedRequest, EventTooLargeError } from './decoded-request.ts'
import type { JsonWriter } from './json-writer.ts'
import {
  BODY,
  CONVERSATION_ID,
  DATA,
  EVENT_ID,
  EVENT_NAME,
  GEN_AI_CONVERSATION_ID,
  LogRecord,
  type LogRecordSource,
  MILESTONE_ID,
  MIRRORS,
  PHASE_ID,
  SESSION_ID,
  WORKFLOW_ID,
} from './log-record.ts'
import type { RequestHash } from './request-hash.ts'

/** The event type of a record that has no name. */
const UNNAMED = 'log'
/** What a rejection takes in memory. */
const REJECTION_BYTES = 300
const EVENT_NAME_PATTERN = /^[\w.-]+$/

export interface RequestContext {
  readonly hash: RequestHash
  readonly receivedAtMicros: Micros
  readonly budget: Budget
}

/**
 * Makes events of log records: the rules of docs/guide/values.md, the same for every encoding. A decoder fills
 * `record`, calls `setOrigin` when that changes, and `add` at the end of each record.
 */
export class EventAssembler {
  readonly record = new LogRecord()

  readonly #source: LogRecordSource
  readonly #json: JsonWriter
  readonly #request: RequestContext
  readonly #events: EventRecord[] = []
  readonly #rejected: Rejection[] = []
  #origin: Origin | null = null
  #originMembers = ''
  /** The attributes of a record that has none of its own, once there is one. */
  #originAttributes: Uint8Array | null = null
  #count = 0
  /** Of the record that came last. */
  #eventId = ''

  constructor(source: LogRecordSource, json: JsonWriter, request: RequestContext) {
    this.#source = source
    this.#json = json
    this.#request = request
  }

  /**
   * The records that follow come from another resource or scope.
   * @param members of the attributes of each of them, as JSON
   */
  setOrigin(origin: Origin | null, members: string): void {
    this.#origin = origin
    this.#originMembers = members
    this.#originAttributes = null
  }

  /** Whether the record needs an id that comes from the request's hash, which takes its time where it is not known. */
  get needsHash(): boolean {
    return !this.record.text(EVENT_ID)
  }

  /** Makes the event of `record`, or its rejection, and clears it. */
  add(): void {
    try {
      this.#addEvent()
    } catch (error) {
      if (!(error instanceof EventTooLargeError)) throw error
      this.#json.discardEvent()
      this.#reject(this.#eventId, this.#request.budget.sizeReason)
    }
    this.record.clear()
  }

  /** How many records were added or rejected. */
  get count(): number {
    return this.#count
  }

  /** Rejects a record that is too large to be read. */
  addUnread(): void {
    this.addWrong(this.#count, this.#request.budget.sizeReason)
  }

  /** Rejects the index-th record in place of `add`, or where that threw, and clears it. */
  addWrong(index: number, reason: string): void {
    const { budget, hash } = this.#request
    this.record.clear()
    if (index === this.#count) {
      budget.addRecord()
      this.#count++
    } else this.#json.discardEvent()
    this.#reject(hash.idOf(index), reason)
  }

  #reject(eventId: string, reason: string): void {
    this.#request.budget.hold(REJECTION_BYTES)
    this.#rejected.push({ eventId, reason: `log record ${this.#count - 1}: ${reason}` })
  }

  #addEvent(): void {
    const { record } = this
    const { budget } = this.#request
    const index = this.#count++
    budget.addRecord()
    this.#json.beginEvent()
    const id = this.#takeId(index)
    this.#eventId = id.eventId
    const sessionId = this.#takeSessionId()
    const workflowId = this.#takeName(WORKFLOW_ID)
    const phaseId = this.#takeName(PHASE_ID)
    const milestoneId = this.#takeName(MILESTONE_ID)
    const eventName = this.#takeEventName()
    const eventType = eventTypeOf(eventName)
    const timestampMicros = record.timeMicros || record.observedMicros || this.#request.receivedAtMicros

    const reason =
      tooLong('event_type', eventType) ??
      tooLong('session_id', sessionId) ??
      tooLong('workflow_id', workflowId) ??
      tooLong('phase_id', phaseId) ??
      tooLong('milestone_id', milestoneId) ??
      tooLate(timestampMicros)
    if (reason !== null) {
      this.#reject(id.eventId, reason)
      return
    }

    const data = this.#writeHookData() ?? this.#writeForeignData(eventName)
    const event = {
      eventId: id.eventId,
      eventType,
      sessionId,
      workflowId,
      phaseId,
      milestoneId,
      data,
      timestampMicros,
      observedAtMicros: isStorable(record.observedMicros) ? record.observedMicros : null,
      severity: isSeverity(record.severityNumber) ? record.severityNumber : null,
      traceId: record.traceId,
      spanId: record.spanId,
      attributes: this.#writeAttributes(id.original),
      origin: this.#origin,
    }
    budget.addEvent(event)
    this.#events.push(event)
  }

  result(): DecodedRequest {
    const { budget, receivedAtMicros } = this.#request
    this.#json.finish()
    return {
      batch: { events: this.#events, receivedAtMicros, byteLength: budget.heldBytes },
      rejected: this.#rejected,
    }
  }

  #takeId(index: number): { eventId: string; original: string | null } {
    const { record } = this
    const uid = record.text(EVENT_ID)
    if (!uid) return { eventId: this.#request.hash.idOf(index), original: null }
    record.take(EVENT_ID)
    return record.hasUuid ? { eventId: uid, original: null } : toUuid(uid)
  }

  /** The first of the session's keys that has a text; the same text under another key says nothing more. */
  #takeSessionId(): string {
    const { record } = this
    const session = record.text(SESSION_ID)
    const genAiConversation = record.text(GEN_AI_CONVERSATION_ID)
    const conversation = record.text(CONVERSATION_ID)
    const sessionId = session || genAiConversation || conversation || ''
    if (session === sessionId) record.take(SESSION_ID)
    if (genAiConversation === sessionId) record.take(GEN_AI_CONVERSATION_ID)
    if (conversation === sessionId) record.take(CONVERSATION_ID)
    return sessionId
  }

  #takeName(key: number): string | null {
    const name = this.record.text(key)
    if (name !== null) this.record.take(key)
    return name
  }

  #takeEventName(): string {
    const { record } = this
    const attribute = record.text(EVENT_NAME)
    if (record.eventName) {
      if (attribute === record.eventName) record.take(EVENT_NAME)
      return record.eventName
    }
    if (!attribute) return UNNAMED
    record.take(EVENT_NAME)
    const body = this.#source.bodyText()
    return body?.endsWith(`.${attribute}`) && EVENT_NAME_PATTERN.test(body) ? body : attribute
  }

  /** The payload of a record that HookClient made: the map alone, without the copies of its members. */
  #writeHookData(): Uint8Array | null {
    const { record } = this
    const start = this.#json.position
    if (!record.has(DATA) || !this.#source.writeData(DATA)) return null
    record.take(DATA)
    for (let mirroredKey = 0; record.hasMirrors && mirroredKey < MIRRORS.length; mirroredKey++) {
      const key = MIRRORS[mirroredKey]!
      if (record.has(key) && this.#source.isMirrored(key, mirroredKey)) record.take(key)
    }
    return this.#json.take(start)
  }

  /** The payload of any other record: its attributes and its body, unless that only repeats the event's name. */
  #writeForeignData(eventName: string): Uint8Array {
    const { record } = this
    const json = this.#json
    const start = json.position
    json.openObject()
    const hasBody = this.#source.bodyText() !== eventName && this.#source.writeBody()
    const giveWay = hasBody && record.has(BODY)
    if (giveWay) record.take(BODY)
    this.#writeRemaining()
    // An attribute called `body` gives way to the body, to the record's `attributes`.
    if (giveWay) record.addKnown(1 << BODY)
    json.closeObject()
    return json.take(start)
  }

  /** What a record has besides its data; null when that is nothing. */
  #writeAttributes(originalId: string | null): Uint8Array | null {
    const { record } = this
    const json = this.#json
    const start = json.position
    json.openObject()
    this.#writeRemaining()
    if (!isSeverity(record.severityNumber) && record.severityNumber !== 0)
      json.member('severity_number', String(record.severityNumber))
    if (record.severityText) json.member('severity_text', encodeJsonString(record.severityText))
    if (record.flags) json.member('flags', String(record.flags))
    if (record.droppedAttributesCount)
      json.member('dropped_attributes_count', String(record.droppedAttributesCount))
    if (originalId) json.member(Attribute.EventId, encodeJsonString(originalId))
    if (!this.#originMembers) return json.takeObject(start)
    const hasOwn = json.position > start + 1
    if (!hasOwn && this.#originAttributes) {
      json.rewind(start)
      return this.#originAttributes
    }
    json.separate()
    json.raw(this.#originMembers)
    const attributes = json.takeObject(start)
    if (!hasOwn) this.#originAttributes = attributes
    return attributes
  }

  /** Writes the attributes that nothing has taken yet. */
  #writeRemaining(): void {
    const { record } = this
    if (record.hasRest) this.#source.writeRest()
    record.hasRest = false
    for (let key = record.takeNext(); key >= 0; key = record.takeNext()) {
      this.#source.writeMember(key)
    }
  }
}

/** An event's name is its type after our prefix; the types of the names seen so far, as far as they fit. */
const eventTypes = new Map<string, string>()
const MAX_EVENT_TYPES = 1024

function eventTypeOf(eventName: string): string {
  const known = eventTypes.get(eventName)
  if (known !== undefined) return known
  const isOurs = eventName.startsWith(EVENT_NAME_PREFIX) && eventName !== EVENT_NAME_PREFIX
  // A slice would keep the whole name, and each of its characters be looked up in that.
  const eventType = isOurs ? Buffer.from(eventName.slice(EVENT_NAME_PREFIX.length)).toString() : eventName
  if (eventTypes.size < MAX_EVENT_TYPES) eventTypes.set(eventName, eventType)
  return eventType
}

function isSeverity(severityNumber: number): boolean {
  return severityNumber >= 1 && severityNumber <= 24
}

function isStorable(micros: Micros): boolean {
  return micros > 0 && micros <= MAX_TIMESTAMP_MICROS
}

function tooLong(field: string, name: string | null): string | null {
  return name === null || name.length <= MAX_NAME_LENGTH
    ? null
    : `${field} is ${name.length} characters long; at most ${MAX_NAME_LENGTH} can be stored`
}

function tooLate(micros: Micros): string | null {
  return micros <= MAX_TIMESTAMP_MICROS ? null : 'timestamp must be before 2255-06-05T23:47:34.740992Z'
}
