import {
  Attribute,
  EVENT_NAME_PREFIX,
  formatTimestamp,
  MIRRORED_DATA_KEYS,
  severityOf,
} from '@agentic-hooks/events'
import { JsonLogsSerializer, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { AGENT_MARKER, ID_MARKER, TIME_MARKER_MICROS } from './markers.ts'
import type { Protocol } from './options.ts'
import { sampleEvent } from './sample-events.ts'

/** A request body with markers in place of every id and time, encoded by OpenTelemetry's own serializers. */
export function encodeBody(protocol: Protocol, records: number, idPrefix: string): Uint8Array {
  const eventId = idPrefix + ID_MARKER
  const indexes = Array.from({ length: records }, (_, index) => index)
  if (protocol === 'rest')
    return Buffer.from(JSON.stringify(indexes.map((index) => restEvent(index, eventId))))
  const serializer = protocol === 'otlp-json' ? JsonLogsSerializer : ProtobufLogsSerializer
  const body = serializer.serializeRequest(indexes.map((index) => logRecord(index, eventId)))
  if (!body) throw new Error(`cannot encode ${records} log records as ${protocol}`)
  return body
}

function restEvent(index: number, eventId: string): object {
  const { eventType, data } = sampleEvent(index)
  return {
    event_id: eventId,
    event_type: eventType,
    session_id: AGENT_MARKER,
    workflow_id: 'wf-nightly-import',
    phase_id: 'implement',
    data,
    timestamp: formatTimestamp(TIME_MARKER_MICROS),
  }
}

const resource = resourceFromAttributes({
  'service.name': 'load',
  'service.instance.id': AGENT_MARKER,
  'host.name': 'swarm-1',
  'process.pid': 4711,
})
const instrumentationScope = { name: '@agentic-hooks/instrumentation', version: '0.1.0' }
const hrTime: [number, number] = [Math.floor(TIME_MARKER_MICROS / 1e6), (TIME_MARKER_MICROS % 1e6) * 1000]

function logRecord(index: number, eventId: string): ReadableLogRecord {
  const { eventType, data } = sampleEvent(index)
  const mirrored = Object.entries(MIRRORED_DATA_KEYS).filter(([key]) => key in data)
  return {
    hrTime,
    hrTimeObserved: hrTime,
    severityNumber: severityOf(eventType, data),
    eventName: EVENT_NAME_PREFIX + eventType,
    body: `${data.tool_name ?? 'agent'} ${eventType}`,
    attributes: {
      [Attribute.EventId]: eventId,
      [Attribute.SessionId]: AGENT_MARKER,
      [Attribute.GenAiConversationId]: AGENT_MARKER,
      [Attribute.WorkflowId]: 'wf-nightly-import',
      [Attribute.PhaseId]: 'implement',
      [Attribute.Data]: data,
      ...Object.fromEntries(mirrored.map(([key, attribute]) => [attribute, String(data[key])])),
    },
    resource,
    instrumentationScope,
    droppedAttributesCount: 0,
  }
}
