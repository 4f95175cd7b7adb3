import type { Micros } from '@agentic-hooks/events'
import { Budget } from './budget.ts'
import {
  type DecodedRequest,
  type Decoding,
  decodedAtOnce,
  type RequestBody,
  UndecodableError,
} from './decoded-request.ts'
import { DecoderMemory } from './decoder-memory.ts'
import { keyText } from './json-place.ts'
import { JsonText } from './json-text.ts'
import { RequestHash } from './request-hash.ts'
import { type RequestEncoding, RequestReader } from './request-reader.ts'

/**
 * The events of an ExportLogsServiceRequest in OTLP JSON: names in lowerCamelCase or as in the .proto files, ids in
 * hex, integers as numbers or strings, bytes in base64; unknown members are ignored, and null means absent.
 * @throws UndecodableError that names the place, as in `resourceLogs[0].scopeLogs[1].logRecords[3].traceId`
 */
export function* readOtlpJson(body: RequestBody, receivedAtMicros: Micros, budget: Budget): Decoding {
  const memory = DecoderMemory.take(body.byteLength)
  try {
    memory.beginJson(body, budget)
    while (!memory.readJson()) yield
    const text = new JsonText(memory, body, budget)
    if (!text.isObject)
      throw new UndecodableError('the body must be a JSON object, an ExportLogsServiceRequest')
    memory.exports.beginRequest()
    const request = { hash: new RequestHash(() => body.chunks), receivedAtMicros, budget }
    return yield* new RequestReader(memory, text.json, encodingOf(memory), request).read()
  } finally {
    DecoderMemory.giveBack(memory)
  }
}

/** The same, all at once. */
export function decodeOtlpJson(
  body: Uint8Array,
  receivedAtMicros: Micros,
  budget = Budget.of(body),
): DecodedRequest {
  const { byteLength } = body
  return decodedAtOnce(readOtlpJson({ chunks: [body], byteLength }, receivedAtMicros, budget))
}

/** Of a name that nobody knows, as much as tells its sender which one is meant. */
const MAX_QUOTED_LENGTH = 64

function encodingOf(memory: DecoderMemory): RequestEncoding {
  const { exports } = memory
  return {
    isAtRecord: () => exports.isAtRecord() === 1,
    unknownMember: () => unknownMember(memory),
    next: exports.nextJson,
    writeResourceAttributes: exports.writeResourceAttributesJson,
    writeScopeAttributes: exports.writeScopeAttributesJson,
    writeKnown: exports.writeKnownJson,
    writeRest: exports.writeRestJson,
    writeData: exports.writeDataJson,
    writeBody: exports.writeBodyJson,
    findBodyText: exports.findBodyTextJson,
    isMirrored: exports.isMirroredJson,
  }
}

function unknownMember(memory: DecoderMemory): string | null {
  const key = memory.exports.findUnknown() >>> 0
  return key === 0 ? null : JSON.stringify(keyText(memory, key).slice(0, MAX_QUOTED_LENGTH))
}
