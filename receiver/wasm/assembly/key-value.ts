import { isSame } from './names'
import { readLength, readTag, skip, Wire } from './wire'

// Tags (field number and wire type in one) and, for each message, the bits of its field numbers.
const KEY_TAG: u32 = 0x0a
const VALUE_TAG: u32 = 0x12
const KEY_VALUE_FIELDS: u32 = 0b110

const STRING_TAG: u32 = 0x0a
const STRING_FIELD: u32 = 0b10

/** Field numbers of AnyValue's oneof: none, its first and its last. */
const NO_VALUE: u32 = 0
const STRING: u32 = 1
const LAST_MEMBER: u32 = 7

/**
 * The KeyValue, or the message with an AnyValue in it, that was read last. One that comes in parts is merged as
 * protobuf says: of keys and of strings the last counts.
 */
export class Entry {
  static start: usize = 0
  static end: usize = 0
  /** The tag of the message's AnyValue. */
  static valueTag: u32 = 0
  static keyStart: usize = 0
  static keyEnd: usize = 0
  /** Whether the value comes in other than one part, or not at the end of its message. */
  static isUnusual: bool = false
  /** The value, unless it is unusual. */
  static valueStart: usize = 0
  static valueEnd: usize = 0
  /** Where the text is that `findText` found. */
  static textStart: usize = 0
  static textEnd: usize = 0
}

export function readEntry(start: usize, end: usize): void {
  Entry.start = start
  Entry.end = end
  Entry.valueTag = VALUE_TAG
  // As every encoder writes it: the key, then the value, each once.
  if (start < end && load<u8>(start) === KEY_TAG) {
    Wire.position = start + 1
    const keyEnd = readLength(end)
    Entry.keyStart = Wire.position
    Entry.keyEnd = keyEnd
    if (keyEnd < end && load<u8>(keyEnd) === VALUE_TAG) {
      Wire.position = keyEnd + 1
      const valueEnd = readLength(end)
      if (valueEnd === end) {
        Entry.valueStart = Wire.position
        Entry.valueEnd = valueEnd
        Entry.isUnusual = false
        return
      }
    }
  }
  readUnusual(start, end)
}

function readUnusual(start: usize, end: usize): void {
  Entry.isUnusual = true
  Entry.keyStart = end
  Entry.keyEnd = end
  Wire.position = start
  while (Wire.position < end) {
    const tag = readTag(end)
    if (tag === KEY_TAG) {
      Entry.keyEnd = readLength(end)
      Entry.keyStart = Wire.position
      Wire.position = Entry.keyEnd
    } else if (tag === VALUE_TAG) Wire.position = readLength(end)
    else skip(tag, end, KEY_VALUE_FIELDS)
  }
}

/** Finds the text of the value; false when it is no string. */
export function findText(): bool {
  if (Entry.isUnusual) return findTextInParts()
  const start = Entry.valueStart
  const length = Entry.valueEnd - start - 2
  if (load<u8>(start) !== STRING_TAG || load<u8>(start + 1) !== length || length >= 0x80) {
    return findTextOfPart(start, Entry.valueEnd, NO_VALUE) === STRING
  }
  Entry.textStart = start + 2
  Entry.textEnd = Entry.valueEnd
  return true
}

function findTextInParts(): bool {
  const end = Entry.end
  let kind = NO_VALUE
  Wire.position = Entry.start
  while (Wire.position < end) {
    const tag = readTag(end)
    if (tag === Entry.valueTag) {
      const stop = readLength(end)
      kind = findTextOfPart(Wire.position, stop, kind)
      Wire.position = stop
    } else skip(tag, end, 0)
  }
  return kind === STRING
}

function findTextOfPart(start: usize, end: usize, kind: u32): u32 {
  Wire.position = start
  while (Wire.position < end) {
    const tag = readTag(end)
    if (tag === STRING_TAG) {
      Entry.textEnd = readLength(end)
      Entry.textStart = Wire.position
      Wire.position = Entry.textEnd
    } else skip(tag, end, STRING_FIELD)
    if (tag >> 3 <= LAST_MEMBER) kind = tag >> 3
  }
  return kind
}

/** Whether the text that was found is the one between two positions. */
export function isText(start: usize, end: usize): bool {
  const length = end - start
  return Entry.textEnd - Entry.textStart === length && isSame(Entry.textStart, start, length)
}
