import { beginPart, Json, separate, writeAt, writeByte } from './json'
import { root } from './json-scan'
import {
  ARRAY,
  ENTRY_BYTES,
  endOf,
  isTooLarge,
  kindOf,
  nextOf,
  OBJECT,
  PLAIN,
  resolveTo,
  STRING,
  startOf,
  stateOf,
} from './json-tape'
import { writeStringEntry, writeTree } from './json-transcode'
import { clearNames, indexOfName, isSame } from './names'
import { slotOf } from './text-cache'

const COLON: u8 = 0x3a

/** The names of an event's fields, which the host adds. */
export const EVENT_FIELDS = memory.data(2176)
clearNames(EVENT_FIELDS)

/** One field of the event that was read last, for the host. */
@unmanaged
class Field {
  /** 0 for none, else one more than the kind of its entry. */
  kind: u32
  /** Where it starts and ends: a plain text that is cached without its quotes; of a payload, its JSON. */
  start: usize
  end: usize
  /** See text-cache.ts; {@link NOT_PLAIN} where the text has to be parsed, the quotes included. */
  slot: i32
}

const MAX_FIELDS = 32
const FIELD_BYTES: usize = 16
export const fields = memory.data(512)

/** Set by the host, once: the first fields are texts that recur, the last are payloads. */
class Layout {
  static cached: i32 = 0
  static firstPayload: i32 = 0
  static fields: i32 = 0
}

export function configureEvents(cached: i32, firstPayload: i32, count: i32): void {
  assert(count <= MAX_FIELDS)
  Layout.cached = cached
  Layout.firstPayload = firstPayload
  Layout.fields = count
}

const NOT_PLAIN: i32 = i32.MIN_VALUE + 1
/** Of a text that is not cached, in ASCII. */
const ASCII: i32 = i32.MIN_VALUE + 2

// What `nextEvent` came to.
const END: i32 = 0
const EVENT: i32 = 1
const NO_OBJECT: i32 = 2
const LARGE_EVENT: i32 = 3

/** Where the next event is, and those behind it end. */
let next: usize = 0
let stop: usize = 0
/** The event that is being read. */
let event: usize = 0

/** Begins with the elements of the text, an array; false when it is none. */
export function beginList(): bool {
  next = root() + ENTRY_BYTES
  stop = nextOf(root()) - ENTRY_BYTES
  return kindOf(root()) === ARRAY
}

/** Begins with the text as the only event. */
export function beginSingle(): void {
  next = root()
  stop = nextOf(root())
}

function fieldAt(index: i32): Field {
  return changetype<Field>(fields + <usize>index * FIELD_BYTES)
}

/** Reads the next event, and writes its payloads from `at` on, one behind the other. */
export function nextEvent(at: usize): i32 {
  if (next >= stop) return END
  event = next
  next = nextOf(event)
  if (kindOf(event) !== OBJECT) return NO_OBJECT
  if (isTooLarge(event)) return LARGE_EVENT
  readFields()
  beginPart()
  writeAt(at)
  for (let index = Layout.firstPayload; index < Layout.fields; index++) writePayload(fieldAt(index))
  // Last of all: what the cache says is there, the host has to put there.
  for (let index = 0; index < Layout.firstPayload; index++) readField(index)
  return EVENT
}

function readFields(): void {
  for (let index = 0; index < Layout.fields; index++) store<u32>(fields + <usize>index * FIELD_BYTES, 0)
  const end = nextOf(event) - ENTRY_BYTES
  let key = event + ENTRY_BYTES
  while (key < end) {
    const value = key + ENTRY_BYTES
    const index = indexOfKey(key)
    if (index >= 0) {
      const field = fieldAt(index)
      field.kind = kindOf(value) + 1
      field.start = value
    }
    key = nextOf(value)
  }
}

/** Once for each, in their order, in which the host reads them, too. */
function readField(index: i32): void {
  const field = fieldAt(index)
  if (field.kind === 0) return
  const entry = field.start
  field.start = startOf(entry)
  field.end = endOf(entry)
  field.slot = NOT_PLAIN
  if (field.kind !== STRING + 1 || stateOf(entry) !== PLAIN) return
  field.start++
  field.end--
  field.slot =
    index < Layout.cached
      ? slotOf(field.start, field.end)
      : isAscii(field.start, field.end)
        ? ASCII
        : i32.MIN_VALUE
}

function isAscii(start: usize, end: usize): bool {
  const length = end - start
  if (length > 64) return false
  for (let offset: usize = 0; offset < length; offset += 16) {
    const left = length - offset
    const mask = i8x16.bitmask(v128.load(start + offset))
    if ((left < 16 ? mask & ((1 << (<i32>left)) - 1) : mask) !== 0) return false
  }
  return true
}

function writePayload(field: Field): void {
  const entry = field.start
  if (field.kind === OBJECT + 1) {
    field.start = Json.position
    writeTree(entry, 0)
    field.end = Json.position
  } else if (field.kind !== 0) {
    field.start = startOf(entry)
    field.end = endOf(entry)
  }
}

/** Room for 64 names of members that the host asks for. */
export const names = memory.data(2048)
const MAX_NAME_BYTES: usize = 32
const BYTES_PER_ESCAPE: usize = 6
const resolved = memory.data(256)

/** The index of the field that a key names, or -1. */
function indexOfKey(key: usize): i32 {
  const start = startOf(key) + 1
  const end = endOf(key) - 1
  if (stateOf(key) === PLAIN) return indexOfName(EVENT_FIELDS, start, end)
  if (end - start > MAX_NAME_BYTES * BYTES_PER_ESCAPE) return -1
  return indexOfName(EVENT_FIELDS, resolved, resolveTo(start, end, resolved))
}

function isKey(key: usize, nameStart: usize, nameEnd: usize): bool {
  const start = startOf(key) + 1
  const end = endOf(key) - 1
  const length = nameEnd - nameStart
  if (stateOf(key) === PLAIN) return end - start === length && isSame(start, nameStart, length)
  if (end - start > MAX_NAME_BYTES * BYTES_PER_ESCAPE) return false
  return resolveTo(start, end, resolved) - resolved === length && isSame(resolved, nameStart, length)
}

/** The entry of the last member of the text, an object, with a name of at most 32 bytes; 0 for none. */
export function findMember(nameStart: usize, nameEnd: usize): usize {
  let found: usize = 0
  const end = nextOf(root()) - ENTRY_BYTES
  let key = root() + ENTRY_BYTES
  while (key < end) {
    if (isKey(key, nameStart, nameEnd)) found = key + ENTRY_BYTES
    key = nextOf(key + ENTRY_BYTES)
  }
  return found
}

/** Writes a value that lies in `depth` others from `at` on; returns its end. */
export function writeValueAt(entry: usize, depth: u32, at: usize): usize {
  beginPart()
  writeAt(at)
  writeTree(entry, depth)
  return Json.position
}

/** Whether the text, an object, has members but those fields whose bits are given. */
export function hasOthers(but: u32): bool {
  const end = nextOf(root()) - ENTRY_BYTES
  let key = root() + ENTRY_BYTES
  while (key < end) {
    if (isOther(key, but)) return true
    key = nextOf(key + ENTRY_BYTES)
  }
  return false
}

/** Writes these into the object that is open at `at`, and returns their end. */
export function writeOthers(but: u32, at: usize): usize {
  beginPart()
  writeAt(at)
  const end = nextOf(root()) - ENTRY_BYTES
  let key = root() + ENTRY_BYTES
  while (key < end) {
    if (isOther(key, but)) {
      separate()
      writeStringEntry(key)
      writeByte(COLON)
      writeTree(key + ENTRY_BYTES, 1)
    }
    key = nextOf(key + ENTRY_BYTES)
  }
  return Json.position
}

function isOther(key: usize, but: u32): bool {
  const index = indexOfKey(key)
  return index < 0 || ((but >> index) & 1) === 0
}
