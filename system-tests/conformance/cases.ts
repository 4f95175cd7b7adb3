import zlib from 'node:zlib'
import type { HttpRequest } from '@agentic-hooks/testing/http'
import { encodeLogsRequest, logsRequest } from '@agentic-hooks/testing/otlp'

/** The limit on a body that the server under test is set to. */
export const MAX_BODY_BYTES = 256 * 1024

/** What the storage behind the server does while a case runs. */
export type Storage = 'works' | 'fails' | 'rejects'

export interface Expected {
  readonly status: number
  /**
   * What the body must be, in the encoding that Content-Type of the answer names: an ExportLogsServiceResponse
   * without or with partial_success, or a google.rpc.Status with a message.
   */
  readonly body: 'success' | 'partial success' | 'status'
  readonly encoding: 'application/x-protobuf' | 'application/json'
  /** Headers that must be there and match. */
  readonly headers?: Readonly<Record<string, RegExp>>
  /** Events that must be stored once the answer is there. */
  readonly stored: number
}

/** One rule of OTLP/HTTP, as a request that any server can be sent and the answer that it owes. */
export interface ConformanceCase {
  readonly rule: string
  readonly storage?: Storage
  readonly request: HttpRequest
  readonly expected: Expected
}

const PROTOBUF = 'application/x-protobuf'
const JSON_TYPE = 'application/json'

const oneRecord = logsRequest([{ eventName: 'custom', sessionId: 's1' }])
const twoRecords = logsRequest([
  { eventName: 'custom', sessionId: 's1' },
  { eventName: 'poison', sessionId: 's1' },
])
const protobufBody = encodeLogsRequest(oneRecord)
const jsonBody = Buffer.from(JSON.stringify(oneRecord))
const oversized = Buffer.from(
  JSON.stringify(logsRequest([{ eventName: 'x'.repeat(MAX_BODY_BYTES), sessionId: 's1' }])),
)
const bomb = (compress: (body: Buffer) => Buffer) => compress(Buffer.alloc(MAX_BODY_BYTES * 100))

const post = (
  contentType: string | undefined,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
): HttpRequest => ({
  path: '/v1/logs',
  headers: { ...(contentType !== undefined && { 'content-type': contentType }), ...headers },
  body,
})

const success = (encoding: Expected['encoding'], stored = 1): Expected => ({
  status: 200,
  body: 'success',
  encoding,
  stored,
})

const failure = (
  status: number,
  encoding: Expected['encoding'],
  headers?: Record<string, RegExp>,
): Expected => ({ status, body: 'status', encoding, stored: 0, ...(headers && { headers }) })

/** A JSON request of one record with these members. */
const jsonRecord = (members: string) =>
  post(JSON_TYPE, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{${members}}]}]}]}`)

const success200: ConformanceCase[] = [
  {
    rule: 'answers 200 with an empty body to a protobuf request',
    request: post(PROTOBUF, protobufBody),
    expected: success(PROTOBUF),
  },
  {
    rule: 'answers 200 with {} to a JSON request',
    request: post(JSON_TYPE, jsonBody),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes parameters in Content-Type',
    request: post('application/json; charset=utf-8', jsonBody),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes Content-Type in any case',
    request: post('Application/X-Protobuf', protobufBody),
    expected: success(PROTOBUF),
  },
  {
    rule: 'takes a chunked body without Content-Length',
    request: { ...post(PROTOBUF, protobufBody), chunked: true },
    expected: success(PROTOBUF),
  },
  {
    rule: 'answers 200 to an empty protobuf request',
    request: post(PROTOBUF, ''),
    expected: success(PROTOBUF, 0),
  },
  {
    rule: 'answers 200 to an empty JSON request',
    request: post(JSON_TYPE, '{}'),
    expected: success(JSON_TYPE, 0),
  },
  {
    rule: 'answers 200 to a request of resources without records',
    request: post(JSON_TYPE, '{"resourceLogs":[{"scopeLogs":[{"logRecords":[]}]}]}'),
    expected: success(JSON_TYPE, 0),
  },
]

const compression: ConformanceCase[] = [
  {
    rule: 'takes protobuf in gzip',
    request: post(PROTOBUF, zlib.gzipSync(protobufBody), { 'content-encoding': 'gzip' }),
    expected: success(PROTOBUF),
  },
  {
    rule: 'takes JSON in gzip',
    request: post(JSON_TYPE, zlib.gzipSync(jsonBody), { 'content-encoding': 'gzip' }),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes gzip of several members',
    request: post(
      JSON_TYPE,
      Buffer.concat([zlib.gzipSync(jsonBody.subarray(0, 20)), zlib.gzipSync(jsonBody.subarray(20))]),
      { 'content-encoding': 'gzip' },
    ),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes deflate',
    request: post(PROTOBUF, zlib.deflateSync(protobufBody), { 'content-encoding': 'deflate' }),
    expected: success(PROTOBUF),
  },
  {
    rule: 'takes zstd',
    request: post(PROTOBUF, zlib.zstdCompressSync(protobufBody), { 'content-encoding': 'zstd' }),
    expected: success(PROTOBUF),
  },
  {
    rule: 'takes zstd of several frames',
    request: post(
      JSON_TYPE,
      Buffer.concat([
        zlib.zstdCompressSync(jsonBody.subarray(0, 20)),
        zlib.zstdCompressSync(jsonBody.subarray(20)),
      ]),
      { 'content-encoding': 'zstd' },
    ),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes Content-Encoding identity',
    request: post(JSON_TYPE, jsonBody, { 'content-encoding': 'identity' }),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'answers 400 when the body is not gzip as Content-Encoding says',
    request: post(PROTOBUF, protobufBody, { 'content-encoding': 'gzip' }),
    expected: failure(400, PROTOBUF),
  },
  {
    rule: 'answers 400 when gzip is cut short',
    request: post(PROTOBUF, zlib.gzipSync(protobufBody).subarray(0, -9), { 'content-encoding': 'gzip' }),
    expected: failure(400, PROTOBUF),
  },
  {
    rule: 'answers 400 when zstd is cut short',
    request: post(PROTOBUF, zlib.zstdCompressSync(protobufBody).subarray(0, -3), {
      'content-encoding': 'zstd',
    }),
    expected: failure(400, PROTOBUF),
  },
  {
    rule: 'answers 415 to an unknown Content-Encoding',
    request: post(JSON_TYPE, jsonBody, { 'content-encoding': 'br' }),
    expected: failure(415, JSON_TYPE),
  },
  {
    rule: 'answers 415 to codings in codings',
    request: post(JSON_TYPE, zlib.gzipSync(zlib.gzipSync(jsonBody)), { 'content-encoding': 'gzip, gzip' }),
    expected: failure(415, JSON_TYPE),
  },
]

const limits: ConformanceCase[] = [
  {
    rule: 'answers 413 to a body whose Content-Length is above the limit',
    request: post(JSON_TYPE, oversized),
    expected: failure(413, JSON_TYPE),
  },
  {
    rule: 'answers 413 to a chunked body above the limit',
    request: { ...post(JSON_TYPE, oversized), chunked: true },
    expected: failure(413, JSON_TYPE),
  },
  {
    rule: 'answers 413 to gzip that is above the limit once decompressed',
    request: post(PROTOBUF, bomb(zlib.gzipSync), { 'content-encoding': 'gzip' }),
    expected: failure(413, PROTOBUF),
  },
  {
    rule: 'answers 413 to deflate that is above the limit once decompressed',
    request: post(PROTOBUF, bomb(zlib.deflateSync), { 'content-encoding': 'deflate' }),
    expected: failure(413, PROTOBUF),
  },
  {
    rule: 'answers 413 to zstd that is above the limit once decompressed',
    request: post(PROTOBUF, bomb(zlib.zstdCompressSync), { 'content-encoding': 'zstd' }),
    expected: failure(413, PROTOBUF),
  },
]

const refusals: ConformanceCase[] = [
  {
    rule: 'answers 400 with a protobuf Status to bytes that are no protobuf',
    request: post(PROTOBUF, 'this is not protobuf'),
    expected: failure(400, PROTOBUF),
  },
  {
    rule: 'answers 400 to protobuf that is cut short',
    request: post(PROTOBUF, protobufBody.subarray(0, -5)),
    expected: failure(400, PROTOBUF),
  },
  {
    rule: 'answers 400 with a JSON Status to a syntax error',
    request: post(JSON_TYPE, '{"resourceLogs":['),
    expected: failure(400, JSON_TYPE),
  },
  {
    rule: 'answers 400 to JSON of another shape',
    request: post(JSON_TYPE, '{"resourceLogs":"none"}'),
    expected: failure(400, JSON_TYPE),
  },
  {
    rule: 'answers 415 to another Content-Type',
    request: post('text/plain', jsonBody),
    expected: failure(415, JSON_TYPE),
  },
  {
    rule: 'answers 415 without Content-Type',
    request: post(undefined, jsonBody),
    expected: failure(415, JSON_TYPE),
  },
  ...['GET', 'PUT', 'DELETE', 'PATCH'].map((method) => ({
    rule: `answers 405 with Allow to ${method}`,
    request: { method, path: '/v1/logs', headers: { 'content-type': JSON_TYPE } },
    expected: failure(405, JSON_TYPE, { allow: /^POST$/ }),
  })),
  {
    rule: 'answers 404 to another path, in JSON',
    request: { ...post(JSON_TYPE, jsonBody), path: '/v1/unknown' },
    expected: failure(404, JSON_TYPE),
  },
  {
    rule: 'answers 404 to another path, in protobuf',
    request: { ...post(PROTOBUF, protobufBody), path: '/v1/unknown' },
    expected: failure(404, PROTOBUF),
  },
]

const jsonMapping: ConformanceCase[] = [
  {
    rule: 'ignores unknown JSON fields',
    request: jsonRecord('"eventName":"e","notYetInvented":{"a":[1]}'),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes 64-bit integers as strings and as numbers',
    request: jsonRecord(
      '"timeUnixNano":"1795361760123456789","observedTimeUnixNano":1795361760123456789,' +
        '"attributes":[{"key":"a","value":{"intValue":"9007199254740993"}},{"key":"b","value":{"intValue":5}}]',
    ),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes trace and span ids in hexadecimal of either case',
    request: jsonRecord('"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174"'),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes bytes in base64',
    request: jsonRecord('"body":{"bytesValue":"AAECAw=="}'),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes enums as integers',
    request: jsonRecord('"severityNumber":17'),
    expected: success(JSON_TYPE),
  },
  {
    rule: 'takes the name of an enum, as every reader of ProtoJSON must',
    request: jsonRecord('"severityNumber":"SEVERITY_NUMBER_ERROR"'),
    expected: success(JSON_TYPE),
  },
]

const retries: ConformanceCase[] = [
  {
    rule: 'answers 503 with Retry-After and a protobuf Status while storage fails',
    storage: 'fails',
    request: post(PROTOBUF, protobufBody),
    expected: failure(503, PROTOBUF, { 'retry-after': /^[1-9]\d*$/ }),
  },
  {
    rule: 'answers 503 with Retry-After and a JSON Status while storage fails',
    storage: 'fails',
    request: post(JSON_TYPE, jsonBody),
    expected: failure(503, JSON_TYPE, { 'retry-after': /^[1-9]\d*$/ }),
  },
  {
    rule: 'answers 200 with partial_success in protobuf when a record can never be stored, and stores the rest',
    storage: 'rejects',
    request: post(PROTOBUF, encodeLogsRequest(twoRecords)),
    expected: { status: 200, body: 'partial success', encoding: PROTOBUF, stored: 1 },
  },
  {
    rule: 'answers 200 with partial_success in JSON when a record can never be stored, and stores the rest',
    storage: 'rejects',
    request: post(JSON_TYPE, JSON.stringify(twoRecords)),
    expected: { status: 200, body: 'partial success', encoding: JSON_TYPE, stored: 1 },
  },
]

export const CASES: readonly ConformanceCase[] = [
  ...success200,
  ...compression,
  ...limits,
  ...refusals,
  ...jsonMapping,
  ...retries,
]
