import type { Micros } from '@agentic-hooks/events'
import { Budget } from './budget.ts'
import { type DecodedRequest, type Decoding, decodedAtOnce, type RequestBody } from './decoded-request.ts'
import { DecoderMemory } from './decoder-memory.ts'
import { JsonWriter } from './json-writer.ts'
import { RequestHash } from './request-hash.ts'
import { type RequestEncoding, RequestReader } from './request-reader.ts'

/**
 * The events of an ExportLogsServiceRequest in protobuf, in one pass over its bytes: attributes and bodies go
 * from the wire to JSON without an object between them.
 */
export function* readOtlpProtobuf(body: RequestBody, receivedAtMicros: Micros, budget: Budget): Decoding {
  const memory = DecoderMemory.take(body.byteLength)
  try {
    const end = yield* memory.load(body, budget)
    const { byteLength } = body
    body.release?.()
    const hash = new RequestHash(() => [memory.bytes.subarray(memory.free, end)])
    const json = new JsonWriter(memory, end, byteLength, budget)
    const request = { hash, receivedAtMicros, budget }
    return yield* new RequestReader(memory, json, encodingOf(memory), request).read()
  } finally {
    DecoderMemory.giveBack(memory)
  }
}

/**
 * The same, all at once.
 * @throws UndecodableError
 */
export function decodeOtlpProtobuf(
  body: Uint8Array,
  receivedAtMicros: Micros,
  budget = Budget.of(body),
): DecodedRequest {
  const { byteLength } = body
  return decodedAtOnce(readOtlpProtobuf({ chunks: [body], byteLength }, receivedAtMicros, budget))
}

function encodingOf({ exports }: DecoderMemory): RequestEncoding {
  return {
    next: exports.next,
    writeResourceAttributes: exports.writeResourceAttributes,
    writeScopeAttributes: exports.writeScopeAttributes,
    writeKnown: exports.writeKnown,
    writeRest: exports.writeRest,
    writeData: exports.writeData,
    writeBody: exports.writeBody,
    findBodyText: exports.findBodyText,
    isMirrored: exports.isMirrored,
    isAtRecord: () => false,
    unknownMember: () => null,
  }
}
