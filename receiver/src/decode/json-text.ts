import { type EventData, encodeJson, JsonPayload, parseNumber } from '@agentic-hooks/events'
import type { Budget } from './budget.ts'
import type { RequestBody } from './decoded-request.ts'
import type { DecoderMemory } from './decoder-memory.ts'
import { EVENT_FIELDS, type EventField, FIRST_PAYLOAD } from './event-fields.ts'
import { JsonWriter } from './json-writer.ts'

// The kinds of entries in wasm/assembly/json-tape.ts.
const STRING = 0
const NUMBER = 1
const LITERAL = 2
const ARRAY = 4
const OBJECT = 5

// What `next` comes to, as `nextEvent` in wasm/assembly/json-event.ts does.
export const END = 0
const EVENT = 1
export const LARGE_EVENT = 3

// Slots of a text that is not kept: one that has to be parsed, and one in ASCII.
const NOT_PLAIN = -(2 ** 31) + 1
const ASCII = NOT_PLAIN + 1
const FIELD_WORDS = 4
const KINDS = 7
const SHIFT = 3
const STATES = 3
const PLAIN = 0
/** Stands for an array where none is allowed. */
const AN_ARRAY: readonly unknown[] = []
const TRUE_START = 0x74
const FALSE_START = 0x66

/** The members of an event as they were sent; objects as the JSON that is stored. */
export type SentEvent = Record<EventField, unknown>

/**
 * A JSON text that was read once, from its first byte to its last, and of which the places of all values are known.
 * Its values are not made into objects: those that are stored are written as JSON from where they lie.
 */
export class JsonText {
  /** What was come to last; null for what is no object. */
  event: SentEvent | null = null
  /** Where JSON can be written. */
  readonly json: JsonWriter
  readonly memory: DecoderMemory
  readonly #fields: number

  /** @param memory in which a JSON text was read */
  constructor(memory: DecoderMemory, { byteLength }: RequestBody, budget: Budget) {
    this.memory = memory
    this.json = new JsonWriter(memory, memory.exports.tapeEnd() >>> 0, byteLength, budget)
    this.#fields = memory.fields
  }

  /** Whether it is an object. */
  get isObject(): boolean {
    return this.#kindOf(this.memory.exports.root() >>> 0) === OBJECT
  }

  /** Begins with the elements of an array; false when the text is none. */
  beginList(): boolean {
    return this.memory.exports.beginList() === 1
  }

  /** Begins with the text as the only event. */
  beginSingle(): void {
    this.memory.exports.beginSingle()
  }

  /**
   * Goes on to the next event, and has it be `event`.
   * @throws EventTooLargeError
   */
  next(): number {
    const { exports } = this.memory
    const found = exports.nextEvent(this.json.position)
    this.event = found === EVENT ? this.#read() : null
    return found
  }

  #read(): SentEvent {
    const moved = this.#gatherPayloads()
    return {
      event_type: this.#field(0),
      session_id: this.#field(1),
      workflow_id: this.#field(2),
      phase_id: this.#field(3),
      milestone_id: this.#field(4),
      event_id: this.#field(5),
      timestamp: this.#field(6),
      severity: this.#field(7),
      trace_id: this.#field(8),
      span_id: this.#field(9),
      data: this.#payload(10, moved),
      attributes: this.#payload(11, moved),
      resource: this.#payload(12, moved),
      scope: this.#payload(13, moved),
    }
  }

  /** Whether the event that was come to has a field, be it null. */
  has(field: EventField): boolean {
    return this.memory.words[this.#fields + FIELD_WORDS * EVENT_FIELDS.indexOf(field)] !== 0
  }

  /** Whether the text, an object, has members but some fields, given by their bits. */
  hasOthers(but: number): boolean {
    return this.memory.exports.hasOthers(but) === 1
  }

  /**
   * Writes these members as a payload.
   * @param more members of it, as JSON
   */
  others(but: number, more: string): JsonPayload {
    const { json } = this
    const start = json.position
    json.openObject()
    json.position = this.memory.exports.writeOthers(but, json.position) >>> 0
    if (more) {
      json.separate()
      json.raw(more)
    }
    json.closeObject()
    const moved = json.gather(start)
    return this.#written(start - moved, json.position)
  }

  /** Has all payloads that were written for the event be in one part; returns how far they were moved for that. */
  #gatherPayloads(): number {
    const { words } = this.memory
    const start = this.json.position
    for (let index = FIRST_PAYLOAD; index < EVENT_FIELDS.length; index++) {
      const at = this.#fields + FIELD_WORDS * index
      if (words[at]! - 1 === OBJECT) this.json.position = words[at + 2]!
    }
    return this.json.gather(start)
  }

  /** A plain value. */
  #field(index: number): unknown {
    const { words, texts, bytes } = this.memory
    const at = this.#fields + FIELD_WORDS * index
    const kind = words[at]! - 1
    if (kind < 0) return null
    const start = words[at + 1]!
    const end = words[at + 2]!
    const slot = words[at + 3]! | 0
    if (kind !== STRING || slot === NOT_PLAIN) return this.#value(kind, start, end)
    if (slot >= 0) return texts[slot]!
    const text = slot === ASCII ? bytes.latin1Slice(start, end) : bytes.utf8Slice(start, end)
    if (slot > ASCII) texts[-1 - slot] = text
    return text
  }

  /**
   * An object, or what else is in its place.
   * @param moved how far what was written was moved
   */
  #payload(index: number, moved: number): unknown {
    const { words } = this.memory
    const at = this.#fields + FIELD_WORDS * index
    const kind = words[at]! - 1
    if (kind < 0) return null
    const start = words[at + 1]!
    const end = words[at + 2]!
    return kind === OBJECT ? this.#written(start - moved, end - moved) : this.#value(kind, start, end)
  }

  #written(start: number, end: number): JsonPayload {
    const { memory } = this
    return new JsonPayload(this.json.view(start, end), () => memory.bytes.utf8Slice(start, end))
  }

  /** A plain value between two positions; of an object or array no more than what it is. */
  #value(kind: number, start: number, end: number): unknown {
    const { bytes } = this.memory
    switch (kind) {
      case STRING:
        return JSON.parse(bytes.toString('utf8', start, end))
      case NUMBER:
        return parseNumber(bytes.toString('latin1', start, end))
      case LITERAL:
        return bytes[start] === TRUE_START ? true : bytes[start] === FALSE_START ? false : null
      case ARRAY:
        return AN_ARRAY
      case OBJECT:
        return {}
      default:
        return bytes.toString('latin1', start, end)
    }
  }

  /**
   * The last member of the text, an object, that has a name of at most 32 ASCII characters; an object or array as its
   * JSON. Undefined when there is none.
   */
  member(name: string): unknown {
    const { exports, words, bytes, free } = this.memory
    const { start: nameStart, end: nameEnd } = this.memory.nameAt(name)
    const entry = exports.findMember(nameStart, nameEnd) >>> 2
    if (entry === 0) return undefined
    const kind = words[entry]! & KINDS
    if (kind === OBJECT || kind === ARRAY) return this.#memberJson(entry << 2)
    const start = free + (words[entry]! >>> SHIFT)
    const end = free + (words[entry + 1]! >>> SHIFT)
    const isPlain = kind === STRING && (words[entry + 1]! & STATES) === PLAIN
    return isPlain ? bytes.utf8Slice(start + 1, end - 1) : this.#value(kind, start, end)
  }

  #memberJson(entry: number): JsonPayload {
    const { position } = this.json
    const end = this.memory.exports.writeValueAt(entry >>> 0, 1, position) >>> 0
    const json = this.memory.bytes.utf8Slice(position, end)
    return new JsonPayload(Buffer.from(json), () => json)
  }

  /**
   * Writes all of the text, an object, as a payload.
   * @param added more members, the same in each call with this object
   */
  payload(added: EventData): JsonPayload {
    const { json } = this
    const { exports } = this.memory
    const start = json.position
    json.position = exports.writeValueAt(exports.root() >>> 0, 0, start) >>> 0
    const members = membersOf(added)
    if (members) {
      json.rewind(json.position - 1)
      json.separate()
      json.raw(`${members}}`)
    }
    const moved = json.gather(start)
    return this.#written(start - moved, json.position)
  }

  #kindOf(entry: number): number {
    return this.memory.words[entry >>> 2]! & KINDS
  }
}

/** The members of objects that are added again and again, as JSON. */
const knownMembers = new WeakMap<EventData, string>()

function membersOf(added: EventData): string {
  let members = knownMembers.get(added)
  if (members === undefined) {
    members = encodeJson(added).slice(1, -1)
    knownMembers.set(added, members)
  }
  return members
}
