import type { Micros } from '@agentic-hooks/events'
import { Budget } from './budget.ts'
import {
  type DecodedRequest,
  type Decoding,
  decodedAtOnce,
  EventTooLargeError,
  type RequestBody,
} from './decoded-request.ts'
import { DecoderMemory } from './decoder-memory.ts'
import { EventAssembler } from './event-assembler.ts'
import { JsonWriter } from './json-writer.ts'
import { LogRecordReader, MAX_TEXT_BYTES } from './log-record-protobuf.ts'
import { NOTHING_SAID, type OriginFields, originMembers, writeResource, writeScope } from './origin.ts'
import { RequestHash } from './request-hash.ts'

// What `next` in wasm/assembly/request.ts came to.
const END = 0
const RESOURCE = 1
const SCOPE = 2
const RECORD = 3

// The fields of Origin there, in words of four bytes.
const DROPPED_ATTRIBUTES_COUNT = 0
const NAME = 1
const VERSION = 3
const SCHEMA_URL = 5
const OWN_BYTES = 8

/** So many records, resources and scopes, or so much of what they say or become, take a millisecond or so. */
const STEP_PARTS = 512
const STEP_BYTES = 2 ** 18

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
    const hash = new RequestHash(() => memory.bytes.subarray(memory.free, end))
    const json = new JsonWriter(memory, end, byteLength, budget)
    return yield* new RequestReader(memory, json, { hash, receivedAtMicros, budget }).read()
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

/** Makes events of what WebAssembly reads in a request, in the order of that. */
class RequestReader {
  readonly #memory: DecoderMemory
  readonly #json: JsonWriter
  readonly #hash: RequestHash
  readonly #budget: Budget
  readonly #records: LogRecordReader
  readonly #assembler: EventAssembler
  #resourceFields: OriginFields = NOTHING_SAID
  #resource: Uint8Array | null = null

  constructor(
    memory: DecoderMemory,
    json: JsonWriter,
    request: { hash: RequestHash; receivedAtMicros: Micros; budget: Budget },
  ) {
    this.#memory = memory
    this.#json = json
    this.#hash = request.hash
    this.#budget = request.budget
    this.#records = new LogRecordReader(memory, json)
    this.#assembler = new EventAssembler(this.#records, json, request)
  }

  *read(): Decoding {
    const { exports } = this.#memory
    const records = this.#records
    const assembler = this.#assembler
    const step = new Step(this.#memory, this.#budget)
    for (let found = exports.next(); found !== END; found = exports.next()) {
      if (found === RECORD && records.read(assembler.record)) {
        if (assembler.needsHash) yield* this.#hash.compute()
        assembler.add()
      } else if (found === RESOURCE) step.add(this.#addResource())
      else if (found === SCOPE) step.add(this.#addScope())
      else {
        if (!this.#hash.isKnown) yield* this.#hash.compute()
        assembler.addUnread()
      }
      if (!step.isOver()) continue
      step.begin()
      yield
    }
    return assembler.result()
  }

  /** Returns how much it says. */
  #addResource(): number {
    const json = this.#json
    this.#budget.addContainer()
    this.#resourceFields = this.#originFields()
    this.#resource = writeResource(json, () => {
      json.position = this.#memory.exports.writeResourceAttributes(json.position) >>> 0
    })
    return this.#ownBytes
  }

  /** Returns how much it says. */
  #addScope(): number {
    const json = this.#json
    this.#budget.addContainer()
    const fields = this.#originFields()
    const scope = writeScope(json, fields, () => {
      json.position = this.#memory.exports.writeScopeAttributes(json.position) >>> 0
    })
    const resource = this.#resource
    const origin = resource || scope ? { resource, scope } : null
    this.#assembler.setOrigin(origin, originMembers(this.#resourceFields, fields))
    return this.#ownBytes
  }

  get #ownBytes(): number {
    const { exports, words } = this.#memory
    return words[(exports.originAddress.value >>> 2) + OWN_BYTES]!
  }

  #originFields(): OriginFields {
    const { exports, words } = this.#memory
    const at = exports.originAddress.value >>> 2
    return {
      name: this.#text(at + NAME),
      version: this.#text(at + VERSION),
      droppedAttributesCount: words[at + DROPPED_ATTRIBUTES_COUNT]!,
      schemaUrl: this.#text(at + SCHEMA_URL),
    }
  }

  /** The text whose start and end stand in two words; empty for none. */
  #text(at: number): string {
    const { words } = this.#memory
    const [start, end] = [words[at]!, words[at + 1]!]
    if (end - start > MAX_TEXT_BYTES)
      throw new EventTooLargeError(
        `a resource or scope has a text of ${end - start} bytes; at most ${MAX_TEXT_BYTES} can be stored`,
      )
    return this.#memory.text(start, end)
  }
}

/** How much is done between two yields. */
class Step {
  readonly #memory: DecoderMemory
  readonly #budget: Budget
  readonly #progress: number
  #parts = 0
  #position = 0
  #bytes = 0

  constructor(memory: DecoderMemory, budget: Budget) {
    this.#memory = memory
    this.#budget = budget
    this.#progress = memory.exports.progressAddress.value >>> 2
    this.begin()
  }

  begin(): void {
    this.#parts = 0
    this.#position = this.#memory.words[this.#progress]! + STEP_BYTES
    this.#bytes = this.#budget.heldBytes + STEP_BYTES
  }

  /** Something is done that moves nothing. */
  add(bytes: number): void {
    this.#position -= bytes
  }

  isOver(): boolean {
    return (
      ++this.#parts === STEP_PARTS ||
      this.#memory.words[this.#progress]! > this.#position ||
      this.#budget.heldBytes > this.#bytes
    )
  }
}
