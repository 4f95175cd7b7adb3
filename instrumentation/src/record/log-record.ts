import {
  Attribute,
  EVENT_NAME_PREFIX,
  type EventData,
  EventType,
  type HookEvent,
  MAX_NAME_LENGTH,
  severityOf,
  Uuidv7,
} from '@agentic-hooks/events'
import {
  type Attributes,
  type HrTime,
  isSpanContextValid,
  type LogRecord,
  type SpanContext,
  trace,
} from '@opentelemetry/api'
import type { InstrumentationScope } from '@opentelemetry/core'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { activeScope, inheritedData } from '../scope.ts'
import type { Redactor } from './redact.ts'
import { type Snapshot, snapshot } from './snapshot.ts'

/** An event as it may be emitted: inside a session's scope it needs no session id. */
export type EmittedEvent = Omit<HookEvent, 'sessionId'> & { sessionId?: string }

/** What all records of one client have in common. */
export interface RecordContext {
  readonly resource: Resource
  readonly instrumentationScope: InstrumentationScope
  /** `null`: nothing is redacted. */
  readonly redactor: Redactor | null
  readonly maxPayloadBytes: number
}

/** The parts of a record, each a value that can be sent. */
export interface RecordFields {
  readonly eventId: string | Uuidv7
  readonly eventType: string
  readonly sessionId: string
  readonly workflowId: string | null
  readonly phaseId: string | null
  readonly milestoneId: string | null
  readonly snapshot: Snapshot
  /** `null`: no secrets are to be taken out of the snapshot. */
  readonly redactor: Redactor | null
  readonly hrTime: HrTime
  readonly hrTimeObserved: HrTime
  readonly spanContext: SpanContext | undefined
  readonly resource: Resource
  readonly instrumentationScope: InstrumentationScope
}

/** Counted for ids, times and the record itself. */
const RECORD_OVERHEAD_BYTES = 512
/** Where the wire's nanoseconds in 64 bits end, in 2554: late enough for the receiver to reject it by name. */
const MAX_TIMESTAMP_MILLIS = 18_446_744_073_709

const NO_DATA = {}

/**
 * The log record of an event: a snapshot of its data (docs/guide/values.md), so that later changes do not show,
 * without secrets and within the payload limit; with the ids of the session and the span around it.
 * @throws TypeError when the event has no type, or an id is no text that can be stored
 */
export function toLogRecord(event: EmittedEvent, context: RecordContext): HookLogRecord {
  const scope = activeScope()
  const observedAt = Date.now()
  const hrTimeObserved = toHrTime(observedAt)
  const eventType = name('eventType', event.eventType)
  if (!eventType) throw new TypeError('eventType is missing: an event needs a type')
  const inherited = scope && inheritedData(scope)
  const data = inherited ? { ...inherited, ...event.data } : (event.data ?? NO_DATA)
  const spanContext = trace.getActiveSpan()?.spanContext()
  return new HookLogRecord({
    eventId: name('eventId', event.eventId) || new Uuidv7(observedAt),
    eventType,
    sessionId: name('sessionId', event.sessionId ?? scope?.sessionId) ?? '',
    workflowId: name('workflowId', event.workflowId ?? scope?.workflowId),
    phaseId: name('phaseId', event.phaseId ?? scope?.phaseId),
    milestoneId: name('milestoneId', event.milestoneId ?? scope?.milestoneId),
    snapshot: snapshot(data, context.maxPayloadBytes, context.redactor),
    redactor: context.redactor,
    hrTime: timeOf(event.timestamp) ?? hrTimeObserved,
    hrTimeObserved,
    spanContext: spanContext && isSpanContextValid(spanContext) ? spanContext : undefined,
    resource: context.resource,
    instrumentationScope: context.instrumentationScope,
  })
}

/**
 * A hook event as OpenTelemetry's processors and serializers read it, laid out as docs/decisions say that it looks
 * on the wire. Secrets are taken out, and attributes made, when it is first read, which is with its batch: the
 * agent waits for `emit`, not for that.
 */
export class HookLogRecord implements ReadableLogRecord {
  readonly droppedAttributesCount = 0
  readonly #fields: RecordFields
  #attributes: Attributes | null = null
  #isRedacted = false

  constructor(fields: RecordFields) {
    this.#fields = fields
  }

  /** About the memory that it takes. */
  get byteLength(): number {
    return RECORD_OVERHEAD_BYTES + this.#fields.snapshot.bytes
  }

  get hrTime(): HrTime {
    return this.#fields.hrTime
  }

  get hrTimeObserved(): HrTime {
    return this.#fields.hrTimeObserved
  }

  get spanContext(): SpanContext | undefined {
    return this.#fields.spanContext
  }

  get resource(): Resource {
    return this.#fields.resource
  }

  get instrumentationScope(): InstrumentationScope {
    return this.#fields.instrumentationScope
  }

  get eventName(): string {
    return EVENT_NAME_PREFIX + this.#fields.eventType
  }

  get severityNumber(): number {
    return severityOf(this.#fields.eventType, this.#fields.snapshot.data)
  }

  get body(): string {
    return sentence(this.#fields.eventType, this.attributes[Attribute.Data] as EventData)
  }

  get attributes(): Attributes {
    this.redact()
    this.#attributes ??= attributesOf(this.#fields)
    return this.#attributes
  }

  /** Takes the secrets out of the data, in place and once, before any of it leaves the process. */
  redact(): void {
    const { redactor, snapshot } = this.#fields
    if (!this.#isRedacted) redactor?.redact(snapshot.data, snapshot.cutTexts)
    this.#isRedacted = true
  }
}

function attributesOf(fields: RecordFields): Attributes {
  const { sessionId, workflowId, phaseId, milestoneId, snapshot } = fields
  const { data } = snapshot
  const attributes: Attributes = {
    [Attribute.EventId]: String(fields.eventId),
    [Attribute.SessionId]: sessionId,
    [Attribute.GenAiConversationId]: sessionId,
  }
  if (workflowId !== null) attributes[Attribute.WorkflowId] = workflowId
  if (phaseId !== null) attributes[Attribute.PhaseId] = phaseId
  if (milestoneId !== null) attributes[Attribute.MilestoneId] = milestoneId
  mirror(attributes, data)
  attributes[Attribute.Data] = data
  return attributes
}

/** Copies what MIRRORED_DATA_KEYS says. Members that are named in the code are found ten times as fast. */
function mirror(attributes: Attributes, data: EventData): void {
  const { tool_name, tool_use_id, tool_call_id, agent_id, agent_name, model } = data
  if (typeof tool_name === 'string') attributes[Attribute.ToolName] = tool_name
  if (typeof tool_use_id === 'string') attributes[Attribute.ToolCallId] = tool_use_id
  if (typeof tool_call_id === 'string') attributes[Attribute.ToolCallId] = tool_call_id
  if (typeof agent_id === 'string') attributes[Attribute.AgentId] = agent_id
  if (typeof agent_name === 'string') attributes[Attribute.AgentName] = agent_name
  if (typeof model === 'string') attributes[Attribute.RequestModel] = model
}

/** The same record for the `emit` of a logger that the application has set up. */
export function toApiLogRecord(record: HookLogRecord): LogRecord {
  const { eventName, severityNumber, body, attributes, hrTime, hrTimeObserved } = record
  return { eventName, timestamp: hrTime, observedTimestamp: hrTimeObserved, severityNumber, body, attributes }
}

/** An id or type as text: callers without types pass numbers, and receivers refuse what is too long. */
function name(field: string, value: unknown): string | null {
  if (value === undefined || value === null) return null
  const text = typeof value === 'string' ? value : String(value)
  if (text.length <= MAX_NAME_LENGTH) return text
  throw new TypeError(
    `${field} is ${text.length} characters long; at most ${MAX_NAME_LENGTH} can be stored: ${text.slice(0, 40)}…`,
  )
}

/** Null for what is no time. */
function timeOf(timestamp: Date | number | undefined): HrTime | null {
  if (timestamp === undefined) return null
  const millis = typeof timestamp === 'number' ? timestamp : timestamp?.getTime?.()
  return millis >= 0 ? toHrTime(Math.min(millis, MAX_TIMESTAMP_MILLIS)) : null
}

/** To the microsecond, which is all that a double holds of a time in milliseconds. */
function toHrTime(millis: number): HrTime {
  const wholeMillis = Math.floor(millis)
  const seconds = Math.floor(wholeMillis / 1000)
  const micros = Math.min(999, Math.round((millis - wholeMillis) * 1000))
  return [seconds, (wholeMillis - seconds * 1000) * 1_000_000 + micros * 1000]
}

/** One short sentence for people who read the log as a log. */
function sentence(eventType: string, data: EventData): string {
  const tool = typeof data.tool_name === 'string' && data.tool_name
  if (!tool) return humanize(eventType)
  switch (eventType) {
    case EventType.ToolExecutionStarted:
      return `${tool} started`
    case EventType.ToolExecutionCompleted:
      return data.success === false ? `${tool} failed` : `${tool} completed`
    case EventType.ToolBlocked:
      return `${tool} blocked`
    default:
      return `${humanize(eventType)}: ${tool}`
  }
}

function humanize(eventType: string): string {
  const words = eventType.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
