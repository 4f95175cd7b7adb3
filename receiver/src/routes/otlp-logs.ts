import type { IncomingMessage, ServerResponse } from 'node:http'
import { readOtlpJson } from '../decode/otlp-json.ts'
import { readOtlpProtobuf } from '../decode/otlp-protobuf.ts'
import { UnsupportedMediaError } from '../errors.ts'
import { mediaType } from '../http/media-type.ts'
import type { Intake, Way } from '../ingest/intake.ts'
import { jsonAnswers, protobufAnswers } from './otlp-answers.ts'

/** POST /v1/logs: OTLP/HTTP, in protobuf or JSON as Content-Type says. */
export function otlpLogs(intake: Intake) {
  return (request: IncomingMessage, response: ServerResponse): Promise<void> =>
    intake.serve(request, response, wayOf(mediaType(request)))
}

const accept = () => {}

const json: Way = {
  protocol: 'otlp_json',
  clientsRetry: true,
  accept,
  decode: readOtlpJson,
  ...jsonAnswers,
}

const protobuf: Way = {
  protocol: 'otlp_protobuf',
  clientsRetry: true,
  accept,
  decode: readOtlpProtobuf,
  ...protobufAnswers,
}

function wayOf(mediaType: string): Way {
  switch (mediaType) {
    case protobuf.contentType:
      return protobuf
    case json.contentType:
      return json
    default:
      return unsupported
  }
}

const unsupported: Way = {
  ...json,
  accept(request) {
    const sent = JSON.stringify(request.headers['content-type'] ?? '')
    throw new UnsupportedMediaError(
      `Content-Type ${sent} is not supported; send application/x-protobuf or application/json`,
    )
  },
}
