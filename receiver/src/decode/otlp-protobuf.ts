import type { Micros } from '@agentic-hooks/events'
import { DEFAULT_LIMITS, type DecodedRequest, type DecodeLimits } from './decoded-request.ts'
import { type DecoderMemory, decoderMemory } from './decoder-memory.ts'
import { EventAssembler } from './event-assembler.ts'
import { JsonWriter } from './json-writer.ts'
import { LogRecordReader } from './log-record-protobuf.ts'
import { NOTHING_SAID, type OriginFields, originMembers, writeResource, writeScope } from './origin.ts'

// What `next` in wasm/assembly/request.ts came to.
const END = 0
const RESOURCE = 1
const SCOPE = 2

// The fields of Origin there, in words of four bytes.
const DROPPED_ATTRIBUTES_COUNT = 0
const NAME = 1
const VERSION = 3
const SCHEMA_URL = 5

/**
 * The events of an ExportLogsServiceRequest in protobuf, in one pass over its bytes: attributes and bodies go
 * from the wire to JSON without an object between them.
 * @throws UndecodableError
 */
export function decodeOtlpProtobuf(
  body: Uint8Array,
  receivedAtMicros: Micros,
  limits: DecodeLimits = DEFAULT_LIMITS,
): DecodedRequest {
  return new RequestReader(body, receivedAtMicros, limits).read()
}

/** Makes events of what WebAssembly reads in a request, in the order of that. */
class RequestReader {
  readonly #memory: DecoderMemory
  readonly #json: JsonWriter
  readonly #records: LogRecordReader
  readonly #assembler: EventAssembler
  #resourceFields: OriginFields = NOTHING_SAID
  #resource: Uint8Array | null = null

  constructor(body: Uint8Array, receivedAtMicros: Micros, limits: DecodeLimits) {
    const memory = decoderMemory()
    const end = memory.load(body)
    const json = new JsonWriter(memory, end, body.byteLength)
    memory.exports.begin(memory.free, end)
    this.#memory = memory
    this.#json = json
    this.#records = new LogRecordReader(memory, json)
    this.#assembler = new EventAssembler(this.#records, json, { body, receivedAtMicros, ...limits })
  }

  read(): DecodedRequest {
    const { exports } = this.#memory
    for (let found = exports.next(); found !== END; found = exports.next()) {
      if (found === RESOURCE) this.#addResource()
      else if (found === SCOPE) this.#addScope()
      else this.#addRecord()
    }
    return this.#assembler.result()
  }

  #addResource(): void {
    const json = this.#json
    this.#resourceFields = this.#originFields()
    this.#resource = writeResource(json, () => {
      json.position = this.#memory.exports.writeResourceAttributes(json.position) >>> 0
    })
  }

  #addScope(): void {
    const json = this.#json
    const fields = this.#originFields()
    const scope = writeScope(json, fields, () => {
      json.position = this.#memory.exports.writeScopeAttributes(json.position) >>> 0
    })
    const resource = this.#resource
    this.#assembler.origin = resource || scope ? { resource, scope } : null
    this.#assembler.originMembers = originMembers(this.#resourceFields, fields)
  }

  #addRecord(): void {
    this.#records.read(this.#assembler.record)
    this.#assembler.add()
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
    return this.#memory.text(words[at]!, words[at + 1]!)
  }
}
