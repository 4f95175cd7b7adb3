import { createRequire } from 'node:module'
import protobuf from 'protobufjs'

/*
 * OTLP messages by code that is not ours: an old release of OpenTelemetry's transformer for those of OTLP,
 * protobufjs for google.rpc.Status.
 */

interface GeneratedType {
  fromObject(object: object): object
  encode(message: object): { finish(): Uint8Array }
  decode(bytes: Uint8Array): object
  toObject(message: object, options: object): Record<string, unknown>
}

const require = createRequire(import.meta.url)
const generated = require('otlp-transformer-0.57/build/src/generated/root')
const { ExportLogsServiceRequest, ExportLogsServiceResponse } = generated.opentelemetry.proto.collector.logs
  .v1 as Record<string, GeneratedType>

const Status = protobuf.Root.fromJSON({
  nested: {
    Status: { fields: { code: { type: 'int32', id: 1 }, message: { type: 'string', id: 2 } } },
  },
}).lookupType('Status')

/** @param request in the JSON mapping, but bytes as base64, also of ids */
export function encodeLogsRequest(request: object): Buffer {
  return Buffer.from(ExportLogsServiceRequest!.encode(ExportLogsServiceRequest!.fromObject(request)).finish())
}

export function decodeLogsResponse(body: Uint8Array): Record<string, unknown> {
  return ExportLogsServiceResponse!.toObject(ExportLogsServiceResponse!.decode(body), { longs: String })
}

export function decodeStatus(body: Uint8Array): Record<string, unknown> {
  return Status.toObject(Status.decode(body))
}

export interface LogRecordFields {
  readonly eventName: string
  readonly sessionId: string
  readonly uid?: string
}

/** An ExportLogsServiceRequest in the JSON mapping, one record each. */
export function logsRequest(records: readonly LogRecordFields[]): object {
  const logRecords = records.map(({ eventName, sessionId, uid }) => ({
    timeUnixNano: '1795361760123456789',
    severityNumber: 9,
    attributes: [
      // As an attribute, because the encoder is older than the field.
      { key: 'event.name', value: { stringValue: eventName } },
      { key: 'session.id', value: { stringValue: sessionId } },
      ...(uid === undefined ? [] : [{ key: 'log.record.uid', value: { stringValue: uid } }]),
    ],
  }))
  return {
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'conformance' } }] },
        scopeLogs: [{ scope: { name: 'test' }, logRecords }],
      },
    ],
  }
}
