import { writeTooDeep } from './host'
import {
  countValue,
  Json,
  reserve,
  separate,
  writeBase64,
  writeByte,
  writeInteger,
  writeKey,
  writeLiteral,
  writeNumber,
  writeString,
} from './json'
import { Entry, findText, readEntry } from './key-value'
import { indexOfName, MIRRORED_KEYS } from './names'
import { readFixed, readLength, readTag, readVarint, skip, Wire } from './wire'

// Members of the AnyValue oneof by their field numbers.
export const NO_VALUE: u32 = 0
const STRING: u32 = 1
const BOOL: u32 = 2
const INT: u32 = 3
const DOUBLE: u32 = 4
export const MAP: u32 = 6
const BYTES: u32 = 7

// Tags: field number and wire type in one.
const STRING_TAG: u32 = 0x0a
const BOOL_TAG: u32 = 0x10
const INT_TAG: u32 = 0x18
const DOUBLE_TAG: u32 = 0x21
const ARRAY_TAG: u32 = 0x2a
const MAP_TAG: u32 = 0x32
const BYTES_TAG: u32 = 0x3a
const ELEMENT_TAG: u32 = 0x0a

// For each message, the bits of its field numbers.
const ANY_VALUE_FIELDS: u32 = 0b1111_1110
const LIST_FIELDS: u32 = 0b10

const OPEN_ARRAY: u8 = 0x5b
const CLOSE_ARRAY: u8 = 0x5d
const OPEN_OBJECT: u8 = 0x7b
const CLOSE_OBJECT: u8 = 0x7d

/** Set by the host, once. */
export class Nesting {
  static maxDepth: u32 = 0
}

/** Set by the host, once. */
export class Mirrored {
  static keys: i32 = 0
}

/** Starts and ends of the texts under mirrored keys in the map that was written last at depth 0; 0 where none is. */
const mirrored = memory.data(512)

export function mirroredStart(key: i32): usize {
  return load<usize>(mirrored + ((<usize>key) << 3))
}

export function mirroredEnd(key: i32): usize {
  return load<usize>(mirrored + ((<usize>key) << 3), 4)
}

function forgetMirrored(): void {
  // The instruction that fills memory is a call out of WebAssembly.
  for (let key = 0; key < Mirrored.keys; key++) store<u64>(mirrored + ((<usize>key) << 3), 0)
}

/** Remembers the text of the entry that was read last. */
function noteMirrored(): void {
  const key = indexOfName(MIRRORED_KEYS, Entry.keyStart, Entry.keyEnd)
  if (key < 0) return
  const isText = findText()
  store<usize>(mirrored + ((<usize>key) << 3), isText ? Entry.textStart : 0)
  store<usize>(mirrored + ((<usize>key) << 3), isText ? Entry.textEnd : 0, 4)
}

/** Writes `"key":value` of the entry that was read last, whose object lies in `depth - 1` others. */
export function writeMember(depth: u32): void {
  countValue()
  writeKey(Entry.keyStart, Entry.keyEnd)
  writeValue(depth)
}

/** Writes the value of the entry that was read last, `null` when there is none; returns the oneof's member. */
export function writeValue(depth: u32): u32 {
  if (Entry.isUnusual) return writeParts(depth)
  const start = Entry.valueStart
  const end = Entry.valueEnd
  const length = end - start - 2
  if (load<u8>(start) === STRING_TAG && load<u8>(start + 1) === length && length < 0x80) {
    writeString(start + 2, end)
    return STRING
  }
  const kind = writePart(start, end, depth, NO_VALUE, Json.position)
  if (kind === NO_VALUE) writeLiteral('null')
  return kind
}

function writeParts(depth: u32): u32 {
  const end = Entry.end
  const valueTag = Entry.valueTag
  const written = Json.position
  let kind = NO_VALUE
  Wire.position = Entry.start
  while (Wire.position < end) {
    const tag = readTag(end)
    if (tag === valueTag) {
      const stop = readLength(end)
      kind = writePart(Wire.position, stop, depth, kind, written)
      Wire.position = stop
    } else skip(tag, end, 0)
  }
  if (kind === NO_VALUE) writeLiteral('null')
  return kind
}

/**
 * Writes a part of an AnyValue and returns the oneof's member. Of a oneof the last member counts, lists are joined.
 * @param kind the member that an earlier part set and that stands at `written`
 */
function writePart(start: usize, end: usize, depth: u32, kind: u32, written: usize): u32 {
  Wire.position = start
  while (Wire.position < end) {
    const tag = readTag(end)
    switch (tag) {
      case STRING_TAG: {
        const stop = readLength(end)
        Json.position = written
        writeString(Wire.position, stop)
        Wire.position = stop
        kind = STRING
        break
      }
      case BOOL_TAG: {
        const value = readVarint(end)
        Json.position = written
        writeLiteral(value !== 0 ? 'true' : 'false')
        kind = BOOL
        break
      }
      case INT_TAG: {
        const value = readVarint(end)
        Json.position = written
        writeInteger(<i64>value)
        kind = INT
        break
      }
      case DOUBLE_TAG: {
        const at = readFixed(8, end)
        Json.position = written
        writeNumber(load<f64>(at))
        kind = DOUBLE
        break
      }
      case BYTES_TAG: {
        const stop = readLength(end)
        Json.position = written
        writeBase64(Wire.position, stop)
        Wire.position = stop
        kind = BYTES
        break
      }
      case ARRAY_TAG:
      case MAP_TAG:
        if (kind !== tag >> 3) Json.position = written
        writeList(tag, readLength(end), depth, kind)
        kind = tag >> 3
        break
      default:
        skip(tag, end, ANY_VALUE_FIELDS)
    }
  }
  return kind
}

/** Writes an ArrayValue or a KeyValueList, or adds to the one of that kind that was just written. */
function writeList(tag: u32, end: usize, depth: u32, kind: u32): void {
  const isMap = tag === MAP_TAG
  if (depth >= Nesting.maxDepth) {
    if (kind !== tag >> 3) {
      reserve(64)
      Json.position = writeTooDeep(Json.position)
    }
    Wire.position = end
    return
  }
  // Takes the last bracket back, so that more can be added.
  if (kind === tag >> 3) Json.position--
  else writeByte(isMap ? OPEN_OBJECT : OPEN_ARRAY)
  if (depth === 0 && kind !== MAP) forgetMirrored()
  while (Wire.position < end) {
    const elementTag = readTag(end)
    if (elementTag !== ELEMENT_TAG) {
      skip(elementTag, end, LIST_FIELDS)
      continue
    }
    const stop = readLength(end)
    if (isMap) {
      readEntry(Wire.position, stop)
      if (depth === 0) noteMirrored()
      writeMember(depth + 1)
    } else writeElement(Wire.position, stop, depth + 1)
    Wire.position = stop
  }
  writeByte(isMap ? CLOSE_OBJECT : CLOSE_ARRAY)
}

function writeElement(start: usize, end: usize, depth: u32): void {
  countValue()
  separate()
  if (writePart(start, end, depth, NO_VALUE, Json.position) === NO_VALUE) writeLiteral('null')
}
