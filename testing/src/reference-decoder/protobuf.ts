import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { type Micros, type StoredEvent, storableText, toUuid, uuidFromRequest } from '@agentic-hooks/events'

/*
 * What the decoders are held to: protobufjs' generated reader from an old release of OpenTelemetry's
 * transformer, and the rules of docs/guide/values.md written down once more, slowly, on the objects that it makes.
 */

interface GeneratedType {
  fromObject(object: object): object
  encode(message: object): { finish(): Uint8Array }
  decode(bytes: Uint8Array): object
  toObject(message: object, options: object): unknown
}

const require = createRequire(import.meta.url)
const generated = require('otlp-transformer-0.57/build/src/generated/root')
const Request: GeneratedType = generated.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest

export interface AnyValue {
  readonly stringValue?: string
  readonly boolValue?: boolean
  /** A decimal string: it may not fit into a number. */
  readonly intValue?: string
  readonly doubleValue?: number
  readonly arrayValue?: { readonly values?: readonly AnyValue[] }
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] }
  readonly bytesValue?: Uint8Array
}

export interface KeyValue {
  readonly key?: string
  readonly value?: AnyValue | null
}

export interface LogRecord {
  readonly timeUnixNano?: string
  readonly observedTimeUnixNano?: string
  readonly severityNumber?: number
  readonly severityText?: string
  /** In JSON only: the old release does not know it. */
  readonly eventName?: string
  readonly body?: AnyValue | null
  readonly attributes?: readonly KeyValue[]
  readonly droppedAttributesCount?: number
  readonly flags?: number
  readonly traceId?: Uint8Array
  readonly spanId?: Uint8Array
}

export interface Part {
  readonly name?: string
  readonly version?: string
  readonly attributes?: readonly KeyValue[]
  readonly droppedAttributesCount?: number
}

export interface LogsRequest {
  readonly resourceLogs?: readonly {
    readonly resource?: Part | null
    readonly schemaUrl?: string
    readonly scopeLogs?: readonly {
      readonly scope?: Part | null
      readonly schemaUrl?: string
      readonly logRecords?: readonly LogRecord[]
    }[]
  }[]
}

export function encode(request: LogsRequest): Buffer {
  return Buffer.from(Request.encode(Request.fromObject(request)).finish())
}

export function decode(body: Uint8Array): LogsRequest {
  return Request.toObject(Request.decode(body), { longs: String, bytes: Buffer }) as LogsRequest
}

export type ExpectedEvent = Omit<StoredEvent, 'timestamp' | 'eventType'> & {
  eventType: string
  observedAtMicros: Micros | null
}

/** The events of a request, as docs/guide/values.md says. */
export function expectedEvents(
  body: Uint8Array,
  receivedAtMicros: Micros,
  request = decode(body),
): ExpectedEvent[] {
  const hash = createHash('sha256').update(body).digest()
  const events: ExpectedEvent[] = []
  let index = 0
  for (const { resource, schemaUrl: resourceSchemaUrl, scopeLogs = [] } of request.resourceLogs ?? []) {
    for (const { scope, schemaUrl: scopeSchemaUrl, logRecords = [] } of scopeLogs) {
      const shared = {
        resource: emptyToNull(toObject(resource?.attributes)),
        scope: emptyToNull({
          ...(scope?.name && { name: storableText(scope.name) }),
          ...(scope?.version && { version: storableText(scope.version) }),
          ...(scope?.attributes?.length && { attributes: toObject(scope.attributes) }),
        }),
        extras: {
          ...(resource?.droppedAttributesCount && {
            'resource.dropped_attributes_count': resource.droppedAttributesCount,
          }),
          ...(resourceSchemaUrl && { 'resource.schema_url': storableText(resourceSchemaUrl) }),
          ...(scope?.droppedAttributesCount && {
            'scope.dropped_attributes_count': scope.droppedAttributesCount,
          }),
          ...(scopeSchemaUrl && { 'scope.schema_url': storableText(scopeSchemaUrl) }),
        },
      }
      for (const record of logRecords) {
        events.push(expectedEvent(record, shared, () => uuidFromRequest(hash, index), receivedAtMicros))
        index++
      }
    }
  }
  return events
}

interface Shared {
  readonly resource: Record<string, unknown> | null
  readonly scope: Record<string, unknown> | null
  readonly extras: Record<string, unknown>
}

function expectedEvent(
  record: LogRecord,
  shared: Shared,
  derivedId: () => string,
  receivedAtMicros: Micros,
): ExpectedEvent {
  const attributes = new Map((record.attributes ?? []).map(({ key = '', value }) => [key, value ?? {}]))
  const take = (key: string): string | null => {
    const text = attributes.get(key)?.stringValue
    if (text === undefined) return null
    attributes.delete(key)
    return text
  }
  const uid = attributes.get('log.record.uid')?.stringValue ? take('log.record.uid') : null
  const id = uid ? toUuid(uid) : { eventId: derivedId(), original: null }
  const sessionId = takeSession(attributes)
  const names = ['workflow', 'phase', 'milestone'].map((kind) => take(`agentic_hooks.${kind}.id`))
  const eventName = takeEventName(attributes, record)
  const hookData = attributes.get('agentic_hooks.data')?.kvlistValue
  const timestampMicros =
    micros(record.timeUnixNano) || micros(record.observedTimeUnixNano) || receivedAtMicros

  let data: Record<string, unknown>
  let rest: Record<string, unknown> = {}
  if (hookData) {
    attributes.delete('agentic_hooks.data')
    dropMirrors(attributes, new Map((hookData.values ?? []).map(({ key = '', value }) => [key, value ?? {}])))
    data = toObject(hookData.values)
    rest = toObjectOf(attributes)
  } else {
    const hasBody = hasValue(record.body) && storable(record.body.stringValue) !== eventName
    if (hasBody && attributes.has('body')) {
      rest = { body: fromAnyValue(attributes.get('body')!) }
      attributes.delete('body')
    }
    data = { ...toObjectOf(attributes), ...(hasBody && { body: fromAnyValue(record.body!) }) }
  }
  const { severityNumber = 0 } = record
  const isSeverity = severityNumber >= 1 && severityNumber <= 24
  return {
    eventId: id.eventId,
    eventType:
      eventName.startsWith('agentic_hooks.') && eventName !== 'agentic_hooks.'
        ? eventName.slice(14)
        : eventName,
    sessionId,
    workflowId: storable(names[0]),
    phaseId: storable(names[1]),
    milestoneId: storable(names[2]),
    data,
    timestampMicros,
    observedAtMicros: micros(record.observedTimeUnixNano) || null,
    severity: isSeverity ? severityNumber : null,
    traceId: idOf(record.traceId, 16),
    spanId: idOf(record.spanId, 8),
    attributes: emptyToNull({
      ...rest,
      ...(!isSeverity && severityNumber && { severity_number: severityNumber }),
      ...(record.severityText && { severity_text: storableText(record.severityText) }),
      ...(record.flags && { flags: record.flags }),
      ...(record.droppedAttributesCount && { dropped_attributes_count: record.droppedAttributesCount }),
      ...shared.extras,
      ...(id.original !== null && { 'log.record.uid': storableText(id.original) }),
    }),
    resource: shared.resource,
    scope: shared.scope,
  }
}

function takeSession(attributes: Map<string, AnyValue>): string {
  const keys = ['session.id', 'gen_ai.conversation.id', 'conversation.id']
  const texts = keys.map((key) => storable(attributes.get(key)?.stringValue))
  const sessionId = texts.find((text) => text) ?? ''
  for (const [index, key] of keys.entries()) if (texts[index] === sessionId) attributes.delete(key)
  return sessionId
}

function takeEventName(attributes: Map<string, AnyValue>, { eventName, body: anyBody }: LogRecord): string {
  const name = storable(attributes.get('event.name')?.stringValue)
  const body = anyBody?.stringValue
  if (eventName) {
    if (name === storableText(eventName)) attributes.delete('event.name')
    return storableText(eventName)
  }
  if (!name) return 'log'
  attributes.delete('event.name')
  return body?.endsWith(`.${name}`) && /^[\w.-]+$/.test(body) ? body : name
}

const MIRRORS = {
  tool_name: 'gen_ai.tool.name',
  tool_use_id: 'gen_ai.tool.call.id',
  tool_call_id: 'gen_ai.tool.call.id',
  agent_id: 'gen_ai.agent.id',
  agent_name: 'gen_ai.agent.name',
  model: 'gen_ai.request.model',
}

/** A copy of a string in `data` says nothing more; anything else under such a key does. */
function dropMirrors(attributes: Map<string, AnyValue>, data: Map<string, AnyValue>): void {
  for (const [key, attribute] of Object.entries(MIRRORS)) {
    const text = data.get(key)?.stringValue
    if (text !== undefined && attributes.get(attribute)?.stringValue === text) attributes.delete(attribute)
  }
}

function toObject(keyValues: readonly KeyValue[] = []): Record<string, unknown> {
  return toObjectOf(new Map(keyValues.map(({ key = '', value }) => [key, value ?? {}])))
}

function toObjectOf(values: Map<string, AnyValue>): Record<string, unknown> {
  return Object.fromEntries([...values].map(([key, value]) => [storableText(key), fromAnyValue(value)]))
}

function hasValue(value: AnyValue | null | undefined): value is AnyValue {
  return value !== null && value !== undefined && Object.keys(value).length > 0
}

function fromAnyValue(value: AnyValue): unknown {
  if (value.stringValue !== undefined) return storableText(value.stringValue)
  if (value.boolValue !== undefined) return value.boolValue
  if (value.intValue !== undefined) return Number(value.intValue)
  if (value.doubleValue !== undefined)
    return Number.isFinite(value.doubleValue) ? value.doubleValue + 0 : String(value.doubleValue)
  if (value.bytesValue !== undefined) return Buffer.from(value.bytesValue).toString('base64')
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(fromAnyValue)
  if (value.kvlistValue) return toObject(value.kvlistValue.values)
  return null
}

function micros(nanos: string | undefined): Micros {
  return Number(BigInt(nanos ?? 0) / 1000n)
}

function idOf(bytes: Uint8Array | undefined, length: number): string | null {
  const isValid = bytes?.length === length && bytes.some((byte) => byte !== 0)
  return isValid ? Buffer.from(bytes).toString('hex') : null
}

function storable(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : storableText(text)
}

function emptyToNull(object: Record<string, unknown>): Record<string, unknown> | null {
  return Object.keys(object).length ? object : null
}
