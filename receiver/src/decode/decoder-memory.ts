import { readFileSync } from 'node:fs'
import { encodeJsonString, MAX_JSON_DEPTH, storableText, TOO_DEEP } from '@agentic-hooks/events'
import type { Budget } from './budget.ts'
import { type RequestBody, UndecodableError } from './decoded-request.ts'
import { KNOWN_ATTRIBUTES, MIRRORED_KEYS, TEXT_KEYS } from './log-record.ts'

/** As far as it is used here; Node's types have none of it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: Record<string, object>) => { readonly exports: unknown }
}

/** What wasm/assembly/index.ts exports. Numbers are positions in the memory, or what the names say. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  readonly free: { readonly value: number }
  readonly recordAddress: { readonly value: number }
  readonly textsAddress: { readonly value: number }
  readonly originAddress: { readonly value: number }
  readonly progressAddress: { readonly value: number }
  readonly knownAttributes: { readonly value: number }
  readonly mirroredKeys: { readonly value: number }
  configure(maxDepth: number, knownTexts: number, mirroredKeys: number): void
  addName(table: number, index: number, start: number, end: number): void
  begin(start: number, end: number, maxEventBytes: number, maxParts: number): void
  next(): number
  writeResourceAttributes(at: number): number
  writeScopeAttributes(at: number): number
  writeKnown(key: number, at: number): number
  writeRest(at: number): number
  writeData(key: number, at: number): number
  writeBody(at: number): number
  findBodyText(): number
  isMirrored(key: number, mirroredKey: number): number
  moveJson(bytes: number): void
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
/** A request that is decoded in one step needs one memory; while it is, another may be in the middle of its steps. */
const MAX_KEPT_MEMORIES = 2
/** After a large request another may follow, which uses the same memory. */
const LARGE_KEPT_MILLIS = 2_000

/**
 * The memory of the WebAssembly module that reads protobuf: what it knows, a request behind that, and behind both the
 * JSON that is written. One request at a time, from `take` to `giveBack`.
 */
export class DecoderMemory {
  readonly exports: Exports
  /** Where a request or JSON can begin. */
  readonly free: number
  bytes: Buffer = Buffer.alloc(0)
  view = new DataView(new ArrayBuffer(0))
  words = new Uint32Array(0)
  doubles = new Float64Array(0)
  /** The strings of the module's cache of texts. */
  readonly texts: string[] = new Array<string>(TEXT_SLOTS).fill('')
  #budget: Budget | null = null

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
      writeDouble: (value: number, at: number) => this.#write(String(value), at >>> 0),
      writeTooDeep: (at: number) => this.#write(TOO_DEEP_JSON, at >>> 0),
    }
    this.exports = new WebAssembly.Instance(MODULE, { host }).exports as unknown as Exports
    this.#refresh()
    this.exports.configure(MAX_JSON_DEPTH, TEXT_KEYS.length, MIRRORED_KEYS.length)
    this.free = align(this.exports.free.value)
    this.#addNames(this.exports.knownAttributes.value, KNOWN_ATTRIBUTES)
    this.#addNames(this.exports.mirroredKeys.value, MIRRORED_KEYS)
  }

  /** Puts a request where one can begin, for the module to read, and returns where it ends. */
  *load(body: RequestBody, budget: Budget): Generator<undefined, number, undefined> {
    const end = this.free + body.byteLength
    this.#budget = budget
    this.grow(end)
    let position = this.free
    let yieldAt = position + LOADED_BYTES
    for (const chunk of body.chunks) {
      for (let start = 0; start < chunk.byteLength; start += LOADED_BYTES) {
        const part = chunk.subarray(start, start + LOADED_BYTES)
        this.bytes.set(part, position)
        position += part.byteLength
        if (position < yieldAt) continue
        yieldAt = position + LOADED_BYTES
        yield
      }
    }
    this.exports.begin(this.free, end, budget.limits.maxEventBytes, budget.maxParts)
    return end
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
    this.bytes = Buffer.from(buffer)
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

  /** @param text of AssemblyScript, whose length in bytes is before it */
  #reject(text: number, values: readonly number[], position: number): never {
    const length = this.view.getUint32(text - 4, true)
    const left = values.values()
    const what = this.bytes
      .toString('utf16le', text, text + length)
      .replaceAll('%', () => String(left.next().value))
    throw new UndecodableError(
      `not an OTLP logs request in protobuf: ${what} at byte ${position - this.free}`,
    )
  }
}

const kept: DecoderMemory[] = []
let large: DecoderMemory | null = null

/** The next position where a block of JSON can begin. */
export function align(position: number): number {
  return Math.ceil(position / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
}
