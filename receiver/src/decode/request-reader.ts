import type { Micros } from '@agentic-hooks/events'
import type { Budget } from './budget.ts'
import {
  type DecodedRequest,
  type Decoding,
  EventTooLargeError,
  RequestTooLargeError,
  UndecodableError,
} from './decoded-request.ts'
import type { DecoderMemory } from './decoder-memory.ts'
import { EventAssembler } from './event-assembler.ts'
import type { JsonWriter } from './json-writer.ts'
import { LogRecordReader, MAX_TEXT_BYTES, type RecordWriters } from './log-record-protobuf.ts'
import { NOTHING_SAID, type OriginFields, originMembers, writeResource, writeScope } from './origin.ts'
import type { RequestHash } from './request-hash.ts'

// What `next` of an encoding comes to, as in wasm/assembly/request.ts and json-request.ts.
const END = 0
const RESOURCE = 1
const SCOPE = 2
const RECORD = 3
const LARGE_RECORD = 4
/** Of ours: a record that was rejected. */
const WRONG = -1

// The fields of Origin there, in words of four bytes.
const DROPPED_ATTRIBUTES_COUNT = 0
const NAME = 1
const VERSION = 3
const SCHEMA_URL = 5
const OWN_BYTES = 8

/** So many records, resources and scopes, or so much of what they say, take a millisecond or so. */
const STEP_PARTS = 512
const STEP_BYTES = 2 ** 18

/** Of a record that is named by its index in the request. */
const OUTER_PLACE = /^resourceLogs\[\d+\]\.scopeLogs\[\d+\]\./

/** How WebAssembly reads a request in one encoding; see the exports of the same names. */
export interface RequestEncoding extends RecordWriters {
  next(): number
  writeResourceAttributes(at: number): number
  writeScopeAttributes(at: number): number
  /** Whether what is being read is a record that can be wrong alone. */
  isAtRecord(): boolean
  /** As in `"log_batches"`, what lies where records should be; null for nothing. Asked when there is no record. */
  unknownMember(): string | null
}

/** Makes events of what WebAssembly reads in a request, in the order of that. */
export class RequestReader {
  readonly #memory: DecoderMemory
  readonly #json: JsonWriter
  readonly #encoding: RequestEncoding
  readonly #hash: RequestHash
  readonly #budget: Budget
  readonly #records: LogRecordReader
  readonly #assembler: EventAssembler
  #resourceFields: OriginFields = NOTHING_SAID
  #resource: Uint8Array | null = null
  #firstWrong: UndecodableError | null = null
  #wrongRecords = 0
  /** The index of the record that is being read, and what is wrong with it. */
  #index = 0
  #wrong = ''

  constructor(
    memory: DecoderMemory,
    json: JsonWriter,
    encoding: RequestEncoding,
    request: { hash: RequestHash; receivedAtMicros: Micros; budget: Budget },
  ) {
    this.#memory = memory
    this.#json = json
    this.#encoding = encoding
    this.#hash = request.hash
    this.#budget = request.budget
    this.#records = new LogRecordReader(memory, json, encoding)
    this.#assembler = new EventAssembler(this.#records, json, request)
  }

  *read(): Decoding {
    for (;;) {
      const found = this.#readStep()
      if (found === END) return this.#result()
      if (found === null) yield
      else {
        yield* this.#hash.compute()
        this.#add(found)
      }
    }
  }

  /** Reads for a step: `END` after the last one, a record that has to wait for the hash, or null. */
  #readStep(): number | null {
    const step = new Step(this.#memory)
    do {
      const found = this.#next()
      if (found === END) return END
      if (found === RESOURCE) step.add(this.#addResource())
      else if (found === SCOPE) step.add(this.#addScope())
      else {
        const record = found === RECORD && !this.#records.read(this.#assembler.record) ? LARGE_RECORD : found
        if (!this.#hash.isKnown && (record !== RECORD || this.#assembler.needsHash)) return record
        if (!this.#add(record)) return WRONG
      }
    } while (!step.isOver())
    return null
  }

  #next(): number {
    this.#index = this.#assembler.count
    try {
      return this.#encoding.next()
    } catch (error) {
      this.#noteWrong(error)
      return WRONG
    }
  }

  /** False for a record that turns out to be wrong while its id has to wait for the hash. */
  #add(record: number): boolean {
    if (record === LARGE_RECORD) this.#assembler.addUnread()
    else if (record === WRONG) this.#assembler.addWrong(this.#index, this.#wrong)
    else {
      try {
        this.#assembler.add()
      } catch (error) {
        this.#noteWrong(error)
        return this.#hash.isKnown && this.#add(WRONG)
      }
    }
    return true
  }

  /** A record with something wrong inside is rejected alone; anything else fails the request. */
  #noteWrong(error: unknown): void {
    if (!(error instanceof UndecodableError) || error instanceof RequestTooLargeError) throw error
    if (!this.#encoding.isAtRecord()) throw error
    this.#firstWrong ??= error
    this.#wrongRecords++
    this.#wrong = error.message.replace(OUTER_PLACE, '')
  }

  #result(): DecodedRequest {
    const decoded = this.#assembler.result()
    const isAllWrong = decoded.batch.events.length === 0 && decoded.rejected.length === this.#wrongRecords
    if (this.#firstWrong && isAllWrong) throw this.#firstWrong
    const unknown = this.#assembler.count === 0 ? this.#encoding.unknownMember() : null
    if (unknown === null) return decoded
    return { ...decoded, warning: `no log records found; ${unknown} is not known in OTLP logs` }
  }

  /** Returns how much it says. */
  #addResource(): number {
    const json = this.#json
    this.#budget.addContainer()
    this.#resourceFields = this.#originFields()
    this.#resource = writeResource(json, () => {
      json.position = this.#encoding.writeResourceAttributes(json.position) >>> 0
    })
    return this.#ownBytes
  }

  /** Returns how much it says. */
  #addScope(): number {
    const json = this.#json
    this.#budget.addContainer()
    const fields = this.#originFields()
    const scope = writeScope(json, fields, () => {
      json.position = this.#encoding.writeScopeAttributes(json.position) >>> 0
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
  readonly #progress: number
  #parts = 0
  #position: number

  constructor(memory: DecoderMemory) {
    this.#memory = memory
    this.#progress = memory.exports.progressAddress.value >>> 2
    this.#position = memory.words[this.#progress]! + STEP_BYTES
  }

  /** Something is done that moves nothing. */
  add(bytes: number): void {
    this.#position -= bytes
  }

  isOver(): boolean {
    return ++this.#parts === STEP_PARTS || this.#memory.words[this.#progress]! > this.#position
  }
}
