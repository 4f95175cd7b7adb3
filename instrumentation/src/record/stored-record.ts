import {
  Attribute,
  EVENT_NAME_PREFIX,
  type EventData,
  type EventRecord,
  jsonBytes,
  type Micros,
  type Origin,
  parseJsonBytes,
  parsePlainJson,
  toUuid,
} from '@agentic-hooks/events'
import type { AnyValue, AttributeValue, HrTime, SpanContext } from '@opentelemetry/api'
import type { InstrumentationScope } from '@opentelemetry/core'
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { HookLogRecord } from './log-record.ts'
import { INSTRUMENTATION_SCOPE } from './resource.ts'
import { NO_TEXTS } from './snapshot.ts'

/** The record as the receiver would store it: for lines of a file that have to be the same as the receiver's. */
export function toStoredRecord(record: ReadableLogRecord): EventRecord {
  const { attributes, spanContext } = record
  const { eventId, original } = toUuid(attributes[Attribute.EventId] as string)
  return {
    eventId,
    eventType: record.eventName?.slice(EVENT_NAME_PREFIX.length) ?? '',
    sessionId: attributes[Attribute.SessionId] as string,
    workflowId: (attributes[Attribute.WorkflowId] as string | undefined) ?? null,
    phaseId: (attributes[Attribute.PhaseId] as string | undefined) ?? null,
    milestoneId: (attributes[Attribute.MilestoneId] as string | undefined) ?? null,
    data: jsonBytes(attributes[Attribute.Data] as EventData),
    timestampMicros: toMicros(record.hrTime),
    observedAtMicros: toMicros(record.hrTimeObserved),
    severity: record.severityNumber ?? null,
    traceId: spanContext?.traceId ?? null,
    spanId: spanContext?.spanId ?? null,
    attributes: attributesBytes(spanContext?.traceFlags, original),
    origin: originOf(record.resource, record.instrumentationScope),
  }
}

function attributesBytes(flags: number | undefined, originalId: string | null): Uint8Array | null {
  if (!flags && originalId === null) return null
  return jsonBytes({
    ...(flags && { flags }),
    ...(originalId !== null && { [Attribute.EventId]: originalId }),
  })
}

const origins = new WeakMap<Resource, Origin>()

/** Made once for all records of a client; a resource of ours comes with one scope only. */
function originOf(resource: Resource, scope: InstrumentationScope): Origin {
  const known = origins.get(resource)
  if (known) return known
  const { name, version } = scope
  const origin = { resource: jsonBytes({ ...resource.attributes }), scope: jsonBytes({ name, version }) }
  origins.set(resource, origin)
  return origin
}

/** Turns stored records back into the log records that they were, those of one origin with one resource. */
export class RecordReader {
  readonly #resources = new Map<string, Resource>()

  read(record: EventRecord): HookLogRecord {
    const attributes = parse(record.attributes)
    const originalId = attributes?.[Attribute.EventId]
    const time = toHrTime(record.timestampMicros)
    return new HookLogRecord({
      eventId: typeof originalId === 'string' ? originalId : record.eventId,
      eventType: record.eventType,
      sessionId: record.sessionId,
      workflowId: record.workflowId,
      phaseId: record.phaseId,
      milestoneId: record.milestoneId,
      // It was limited and redacted before it was stored.
      snapshot: { data: parse(record.data) ?? {}, bytes: record.data.byteLength, cutTexts: NO_TEXTS },
      redactor: null,
      hrTime: time,
      // A line does not say when the event was observed; it was at once.
      hrTimeObserved: time,
      spanContext: spanContextOf(record, attributes?.flags),
      resource: this.#resource(record.origin?.resource),
      instrumentationScope: INSTRUMENTATION_SCOPE,
    })
  }

  #resource(json: Uint8Array | null | undefined): Resource {
    const text = json ? Buffer.from(json).toString() : '{}'
    const known = this.#resources.get(text)
    if (known) return known
    const resource = resourceFromAttributes(parsePlainJson(text) as Record<string, AttributeValue>)
    this.#resources.set(text, resource)
    return resource
  }
}

function spanContextOf({ traceId, spanId }: EventRecord, flags: unknown): SpanContext | undefined {
  return traceId && spanId
    ? { traceId, spanId, traceFlags: typeof flags === 'number' ? flags : 0 }
    : undefined
}

function parse(json: Uint8Array | null): Record<string, AnyValue> | null {
  return json && (parseJsonBytes(json) as Record<string, AnyValue>)
}

function toMicros([seconds, nanos]: HrTime): Micros {
  return seconds * 1_000_000 + Math.floor(nanos / 1000)
}

function toHrTime(micros: Micros): HrTime {
  const seconds = Math.floor(micros / 1_000_000)
  return [seconds, (micros - seconds * 1_000_000) * 1000]
}
