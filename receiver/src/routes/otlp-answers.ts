import type { Rejection } from '@agentic-hooks/events'
import type { RequestResult } from '../decode/decoded-request.ts'
import type { Failure } from '../errors.ts'

/** How OTLP/HTTP answers in JSON: ExportLogsServiceResponse or google.rpc.Status. */
export const jsonAnswers = {
  contentType: 'application/json',
  encodeResult({ rejected, warning }: RequestResult) {
    if (rejected.length === 0 && !warning) return { status: 200, body: '{}' }
    const partialSuccess = {
      rejectedLogRecords: String(rejected.length),
      errorMessage: warning ?? describe(rejected),
    }
    return { status: 200, body: JSON.stringify({ partialSuccess }) }
  },
  encodeFailure({ status, message }: Failure) {
    return JSON.stringify({ code: grpcCode(status), message })
  },
}

/** The same in protobuf. Without rejected records `partial_success` stays unset, which leaves no bytes at all. */
export const protobufAnswers = {
  contentType: 'application/x-protobuf',
  encodeResult({ rejected, warning }: RequestResult) {
    if (rejected.length === 0 && !warning) return { status: 200, body: '' }
    const partialSuccess = [
      ...varintField(1, rejected.length),
      ...textField(2, warning ?? describe(rejected)),
    ]
    return { status: 200, body: Buffer.from(bytesField(1, partialSuccess)) }
  },
  encodeFailure({ status, message }: Failure) {
    return Buffer.from([...varintField(1, grpcCode(status)), ...textField(2, message)])
  },
}

const DESCRIBED_REJECTIONS = 10

/** As in `2 rejected: <event id>: <reason>; <event id>: <reason>`, for the client's log. */
function describe(rejected: readonly Rejection[]): string {
  const named = rejected.slice(0, DESCRIBED_REJECTIONS).map(({ eventId, reason }) => `${eventId}: ${reason}`)
  const more = rejected.length > named.length ? `; and ${rejected.length - named.length} more` : ''
  return `${rejected.length} rejected: ${named.join('; ')}${more}`
}

const GRPC_CODES: Readonly<Record<number, number>> = {
  400: 3, // INVALID_ARGUMENT
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 5, // NOT_FOUND
  405: 12, // UNIMPLEMENTED
  413: 8, // RESOURCE_EXHAUSTED
  415: 3, // INVALID_ARGUMENT
  422: 3, // INVALID_ARGUMENT
  429: 8, // RESOURCE_EXHAUSTED
  503: 14, // UNAVAILABLE
}

const GRPC_INTERNAL = 13

function grpcCode(status: number): number {
  return GRPC_CODES[status] ?? GRPC_INTERNAL
}

function textField(number: number, text: string): number[] {
  return bytesField(number, Buffer.from(text))
}

function bytesField(number: number, bytes: Iterable<number> & { readonly length: number }): number[] {
  return [...varint((number << 3) | 2), ...varint(bytes.length), ...bytes]
}

function varintField(number: number, value: number): number[] {
  return [...varint(number << 3), ...varint(value)]
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (; value > 0x7f; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80)
  bytes.push(value)
  return bytes
}
