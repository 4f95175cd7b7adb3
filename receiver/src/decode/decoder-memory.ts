import { readFileSync } from 'node:fs'
import { encodeJsonString, MAX_JSON_DEPTH, storableText, TOO_DEEP } from '@agentic-hooks/events'
import type { Budget } from './budget.ts'
import { type RequestBody, TooManyValuesError, UndecodableError } from './decoded-request.ts'
import { checkedExports, type Exports } from './decoder-exports.ts'
import { CACHED_FIELDS, EVENT_FIELDS, FIRST_PAYLOAD } from './event-fields.ts'
import { placeOf } from './json-place.ts'
import { KNOWN_ATTRIBUTES, MIRRORED_KEYS, TEXT_KEYS } from './log-record.ts'

/** As far as it is used here; Node's types have none of it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (
    module: object,
    imports: Record<string, object>,
  ) => { readonly exports: Record<string, unknown> }
}

const MODULE = new WebAssembly.Module(readFileSync(new URL('../../wasm/otlp-protobuf.wasm', import.meta.url)))
const TOO_DEEP_JSON = encodeJsonString(TOO_DEEP)
const PAGE_BYTES = 65_536
const MAX_MEMORY_BYTES = 2 ** 32
const GROWTH = 1.5
const MAX_KEPT_BYTES = 2 ** 24
/** As many as in wasm/assembly/text-cache.ts. */
const TEXT_SLOTS = 4096
const ALIGNMENT_BYTES = 16
/** Copied at once; new pages make it a thousand times as slow as others. */
const LOADED_BYTES = 2 ** 22
/** Of a JSON text, read at once: some milliseconds of what takes longest. */
const SCANNED_BYTES = 2 ** 19
/** Positions in a JSON text have 29 bits. */
const MAX_JSON_BYTES = 2 ** 29 - 1
/** Zeros behind a JSON text, and what else may be read there. */
const JSON_PADDING_BYTES = 64
/** The lists that lead to a record. */
const PLACES = ['resourceLogs', 'scopeLogs', 'logRecords']
const NO_CHUNKS: readonly Uint8Array[] = []
/** As in wasm/assembly/json-event.ts: names of members that are asked for. */
const NAME_BYTES = 32
const MAX_NAMES = 64
/** A request that is decoded in one step needs one memory; while it is, another may be in the middle of its steps. */
const MAX_KEPT_MEMORIES = 2
/** After a large request another may follow, which uses the same memory. */
const LARGE_KEPT_MILLIS = 2_000

/** What `toString` of a Buffer calls after it has looked at its arguments; Node's types have neither. */
interface SlicedBuffer extends Buffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}

/**
 * The memory of the WebAssembly module that reads protobuf and JSON: what it knows, a request behind that, and behind both the
 * JSON that is written. One request at a time, from `take` to `giveBack`.
 */
export class DecoderMemory {
  readonly exports: Exports
  /** Where a request or JSON can begin. */
  readonly free: number
  /** Where the fields of an event are, in words. */
  readonly fields: number
  bytes = Buffer.alloc(0) as SlicedBuffer
  view = new DataView(new ArrayBuffer(0))
  words = new Uint32Array(0)
  doubles = new Float64Array(0)
  /** The strings of the module's cache of texts. */
  readonly texts: string[] = new Array<string>(TEXT_SLOTS).fill('')
  #budget: Budget | null = null
  // The body that is being copied, and how far.
  #chunks: readonly Uint8Array[] = NO_CHUNKS
  #chunk = 0
  #offset = 0
  #position = 0
  #textEnd = 0
  #isCopied = false
  readonly #names = new Map<string, { start: number; end: number }>()

  /** One that no other request uses, for a body of so many bytes. */
  static take(bodyBytes: number): DecoderMemory {
    if (large !== null && bodyBytes > MAX_KEPT_BYTES / 4) {
      const memory = large
      large = null
      return memory
    }
    return kept.pop() ?? new DecoderMemory()
  }

  /** A WebAssembly memory never shrinks: what a large request needed is given back with all of it. */
  static giveBack(memory: DecoderMemory): void {
    memory.#budget = null
    if (memory.bytes.byteLength <= MAX_KEPT_BYTES) {
      if (kept.length < MAX_KEPT_MEMORIES) kept.push(memory)
      return
    }
    large = memory
    setTimeout(() => {
      if (large === memory) large = null
    }, LARGE_KEPT_MILLIS).unref()
  }

  constructor() {
    const host = {
      grow: (end: number) => this.grow(end),
      reject: (text: number, first: number, second: number, position: number) =>
        this.#reject(text >>> 0, [first, second], position >>> 0),
      rejectTooLarge: () => {
        throw this.#budget!.tooLarge()
      },
      rejectTooMany: () => {
        throw this.#budget!.tooManyParts()
      },
      rejectJson: (text: number, position: number) => this.#rejectJson(text >>> 0, position >>> 0),
      rejectEntry: (text: number, entry: number) => this.#rejectEntry(text >>> 0, entry >>> 0),
      rejectValues: () => {
        throw new TooManyValuesError(this.#budget!.limits.maxJsonValues)
      },
      readNumber: (start: number, end: number) => Number(this.bytes.latin1Slice(start >>> 0, end >>> 0)),
      writeDouble: (value: number, at: number) => this.#write(String(value), at >>> 0),
      writeTooDeep: (at: number) => this.#write(TOO_DEEP_JSON, at >>> 0),
    }
    this.exports = checkedExports(new WebAssembly.Instance(MODULE, { host }).exports)
    this.#refresh()
    this.exports.configure(MAX_JSON_DEPTH, TEXT_KEYS.length, MIRRORED_KEYS.length)
    this.free = align(this.exports.free.value)
    this.#addNames(this.exports.knownAttributes.value, KNOWN_ATTRIBUTES)
    this.#addNames(this.exports.mirroredKeys.value, MIRRORED_KEYS)
    this.exports.configureEvents(CACHED_FIELDS, FIRST_PAYLOAD, EVENT_FIELDS.length)
    this.#addNames(this.exports.eventFields.value, EVENT_FIELDS)
    this.fields = this.exports.fieldsAddress.value >>> 2
  }

  /** Puts a request in protobuf where one can begin, for the module to read, and returns where it ends. */
  *load(body: RequestBody, budget: Budget): Generator<undefined, number, undefined> {
    const end = this.#begin(body, budget)
    while (!this.#copyMore()) yield
    this.exports.begin(this.free, end, budget.limits.maxEventBytes, budget.maxParts)
    return end
  }

  /**
   * Begins to read a JSON text.
   * @throws UndecodableError when it is longer than 512 MiB
   */
  beginJson(body: RequestBody, budget: Budget): void {
    if (body.byteLength > MAX_JSON_BYTES)
      throw new UndecodableError('the JSON takes more than 512 MiB; send it in several requests')
    this.#textEnd = this.#begin(body, budget)
    this.#isCopied = false
  }

  /**
   * Reads more of it, for some milliseconds; false when that was not all.
   * @throws UndecodableError when it is not JSON
   * @throws TooManyValuesError
   */
  readJson(): boolean {
    if (!this.#isCopied) {
      if (!this.#copyMore()) return false
      this.#isCopied = true
      const { maxJsonValues, maxEventBytes } = this.#budget!.limits
      this.exports.beginScan(this.free, this.#textEnd, maxJsonValues, maxEventBytes)
    }
    return this.exports.scan(SCANNED_BYTES) === 1
  }

  #begin(body: RequestBody, budget: Budget): number {
    const end = this.free + body.byteLength
    this.#budget = budget
    this.grow(end + JSON_PADDING_BYTES)
    this.#chunks = body.chunks
    this.#chunk = 0
    this.#offset = 0
    this.#position = this.free
    return end
  }

  /** Copies some of the body; false when that was not all. */
  #copyMore(): boolean {
    const yieldAt = this.#position + LOADED_BYTES
    while (this.#chunk < this.#chunks.length) {
      if (this.#position >= yieldAt) return false
      const chunk = this.#chunks[this.#chunk]!
      const isWhole = chunk.byteLength <= LOADED_BYTES
      const part = isWhole ? chunk : chunk.subarray(this.#offset, this.#offset + LOADED_BYTES)
      this.bytes.set(part, this.#position)
      this.#position += part.byteLength
      this.#offset += part.byteLength
      if (this.#offset < chunk.byteLength) continue
      this.#chunk++
      this.#offset = 0
    }
    this.#chunks = NO_CHUNKS
    return true
  }

  /** Where a name of at most 32 ASCII characters is kept; 64 of them are. */
  nameAt(name: string): { readonly start: number; readonly end: number } {
    let place = this.#names.get(name)
    if (place === undefined) {
      const start = this.exports.namesAddress.value + this.#names.size * NAME_BYTES
      if (this.#names.size === MAX_NAMES || name.length > NAME_BYTES)
        throw new RangeError(`no room for ${name}`)
      place = { start, end: this.#write(name, start) }
      this.#names.set(name, place)
    }
    return place
  }

  /** The text of the UTF-8 between two positions, as it can be stored. */
  text(start: number, end: number): string {
    return storableText(this.bytes.toString('utf8', start, end))
  }

  /**
   * Has the memory reach to `end`.
   * @throws UndecodableError beyond 4 GiB, which only a request of hundreds of MiB can need
   */
  grow(end: number): void {
    const { byteLength } = this.bytes
    if (end <= byteLength) return
    if (end > MAX_MEMORY_BYTES)
      throw new UndecodableError('as JSON the request takes more than 4 GiB; send it in several')
    const grown = Math.min(Math.max(end, byteLength * GROWTH), MAX_MEMORY_BYTES)
    this.exports.memory.grow(Math.ceil((grown - byteLength) / PAGE_BYTES))
    this.#refresh()
  }

  #refresh(): void {
    const { buffer } = this.exports.memory
    this.bytes = Buffer.from(buffer) as SlicedBuffer
    this.view = new DataView(buffer)
    this.words = new Uint32Array(buffer)
    this.doubles = new Float64Array(buffer)
  }

  #write(text: string, at: number): number {
    return at + this.bytes.write(text, at, 'latin1')
  }

  #addNames(table: number, names: readonly string[]): void {
    for (const [index, name] of names.entries()) {
      this.exports.addName(table, index, this.free, this.#write(name, this.free))
    }
  }

  #reject(text: number, values: readonly number[], position: number): never {
    const left = values.values()
    const what = this.#literal(text).replaceAll('%', () => String(left.next().value))
    throw new UndecodableError(
      `not an OTLP logs request in protobuf: ${what} at byte ${position - this.free}`,
    )
  }

  /** The character that is quoted is enough to find the mistake: payloads are not for logs. */
  #rejectJson(text: number, position: number): never {
    const isEnd = position >= this.#textEnd
    const found = isEnd ? 'the end' : JSON.stringify(this.bytes.latin1Slice(position, position + 1))
    throw new UndecodableError(
      `the body is not JSON: ${this.#literal(text)} at byte ${position - this.free}, found ${found}`,
    )
  }

  #rejectEntry(text: number, entry: number): never {
    const outer = PLACES.map((name, level) => [name, this.exports.placeIndex(level)] as const)
      .filter(([, index]) => index >= 0)
      .map(([name, index]) => `${name}[${index}]`)
    const inner = placeOf(this, this.exports.placeRoot() >>> 0, entry)
    const place = [...outer, inner].filter((part) => part).join('.')
    throw new UndecodableError(`${place} ${this.#literal(text)}`)
  }

  /** A text of AssemblyScript, whose length in bytes is before it. */
  #literal(text: number): string {
    return this.bytes.toString('utf16le', text, text + this.view.getUint32(text - 4, true))
  }
}

const kept: DecoderMemory[] = []
let large: DecoderMemory | null = null

/** The next position where a block of JSON can begin. */
export function align(position: number): number {
  return Math.ceil(position / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
}
