import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An event as it arrived over the wire. */
export interface ReceivedEvent {
  readonly eventId: string
  readonly eventType: string
  readonly sessionId: string
  readonly data: Record<string, unknown>
  readonly traceId: string
  readonly scopeName: string
  readonly serviceName: string
}

export interface Sink extends AsyncDisposable {
  readonly url: string
  readonly events: ReceivedEvent[]
}

/** An OTLP/HTTP endpoint for JSON that keeps what it gets. */
export async function startSink(): Promise<Sink> {
  const events: ReceivedEvent[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      if (request.url === '/v1/logs') events.push(...decode(JSON.parse(Buffer.concat(chunks).toString())))
      response.setHeader('content-type', 'application/json').end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    events,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface AnyValue {
  stringValue?: string
  intValue?: string | number
  doubleValue?: number
  boolValue?: boolean
  arrayValue?: { values?: AnyValue[] }
  kvlistValue?: { values?: KeyValue[] }
}

interface KeyValue {
  key: string
  value: AnyValue
}

interface LogsRequest {
  resourceLogs: {
    resource?: { attributes?: KeyValue[] }
    scopeLogs: {
      scope?: { name?: string }
      logRecords: { eventName: string; attributes: KeyValue[]; traceId?: string }[]
    }[]
  }[]
}

function decode({ resourceLogs }: LogsRequest): ReceivedEvent[] {
  return resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ scope, logRecords }) =>
      logRecords.map(({ eventName, attributes, traceId = '' }) => {
        const values = toObject(attributes)
        return {
          eventId: String(values['log.record.uid']),
          eventType: eventName.replace('agentic_hooks.', ''),
          sessionId: String(values['session.id']),
          data: values['agentic_hooks.data'] as Record<string, unknown>,
          traceId,
          scopeName: scope?.name ?? '',
          serviceName: String(toObject(resource?.attributes ?? [])['service.name']),
        }
      }),
    ),
  )
}

function toObject(pairs: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, toValue(value)]))
}

function toValue(value: AnyValue): unknown {
  if (value.kvlistValue) return toObject(value.kvlistValue.values ?? [])
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(toValue)
  if (value.intValue !== undefined) return Number(value.intValue)
  return value.stringValue ?? value.doubleValue ?? value.boolValue ?? null
}
