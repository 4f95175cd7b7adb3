import { MAP, mirroredEnd, mirroredStart, NO_VALUE, writeMember, writeValue } from './any-value'
import { beginPart, Json, separate, writeAt, writeLiteral } from './json'
import { Entry, findText, isText, readEntry } from './key-value'
import { Limits, VALUE_BYTES } from './limits'
import { indexOfName, isLowerCaseUuid, KNOWN_ATTRIBUTES } from './names'
import { slotOf } from './text-cache'
import { readFixed, readLength, readTag, readVarint, skip, Wire } from './wire'

// Tags (field number and wire type in one) and the bits of the field numbers.
const TIME_TAG: u32 = 0x09
const SEVERITY_NUMBER_TAG: u32 = 0x10
const SEVERITY_TEXT_TAG: u32 = 0x1a
const BODY_TAG: u32 = 0x2a
const ATTRIBUTE_TAG: u32 = 0x32
const DROPPED_TAG: u32 = 0x38
const FLAGS_TAG: u32 = 0x45
const TRACE_ID_TAG: u32 = 0x4a
const SPAN_ID_TAG: u32 = 0x52
const OBSERVED_TIME_TAG: u32 = 0x59
const EVENT_NAME_TAG: u32 = 0x62
const LOG_RECORD_FIELDS: u32 = 0b1_1111_1110_1110

const TRACE_ID_BYTES: usize = 16
const SPAN_ID_BYTES: usize = 8
const UUID_BYTES: usize = 36

/** What the host reads of a record. */
@unmanaged
class LogRecord {
  timeMicros: f64
  observedMicros: f64
  severityNumber: u32
  flags: u32
  droppedAttributesCount: u32
  /** The bits of the known attributes that the record has. */
  present: u32
  /** Whether it has other attributes. */
  hasRest: u32
  /** Whether the text of the first known attribute, the event's id, is a UUID in lower case. */
  hasUuid: u32
  /** Start of the 16 bytes of a valid id; 0 when there is none. */
  traceIdStart: usize
  /** Start of the 8 bytes of a valid id; 0 when there is none. */
  spanIdStart: usize
}

/** A text that the host reads; where it starts at 0, there is none. */
@unmanaged
class Text {
  start: usize
  end: usize
  /** See text-cache.ts. */
  slot: i32
}

export const record = changetype<LogRecord>(memory.data(offsetof<LogRecord>()))

/** Start and end of the last attribute of each known key. */
const known = memory.data(256)

/** The severity, the event's name, the body and those of the known attributes whose text counts. */
export const texts = memory.data(512)
export const SEVERITY_TEXT: i32 = 0
export const EVENT_NAME: i32 = 1
export const BODY_TEXT: i32 = 2
export const FIRST_ATTRIBUTE: i32 = 3
export const EVENT_ID: i32 = 3

function textAt(index: i32): Text {
  return changetype<Text>(texts + <usize>index * offsetof<Text>())
}

export function setText(index: i32, start: usize, end: usize): void {
  const text = textAt(index)
  text.start = start
  text.end = end
}

/** Set by the host, once: as many of the known attributes, from the first on, are asked for their texts. */
export class Known {
  static texts: i32 = 0
}

let recordStart: usize = 0
let recordEnd: usize = 0
let bodyStart: usize = 0
let bodyEnd: usize = 0
let bodyParts: u32 = 0

/**
 * Reads the message between the wire's position and `end`, to where the position is left; false when it is larger than
 * an event may be.
 */
export function readLogRecord(end: usize): bool {
  let left = <i64>Limits.maxEventBytes - (end - Wire.position)
  beginPart()
  clearRecord()
  setText(SEVERITY_TEXT, 0, 0)
  setText(EVENT_NAME, 0, 0)
  recordStart = Wire.position
  recordEnd = end
  bodyParts = 0
  while (left >= 0 && Wire.position < end) {
    left -= VALUE_BYTES
    const tag = readTag(end)
    switch (tag) {
      case ATTRIBUTE_TAG: {
        const stop = readLength(end)
        addAttribute(Wire.position, stop)
        Wire.position = stop
        break
      }
      case TIME_TAG:
        record.timeMicros = readMicros(end)
        break
      case OBSERVED_TIME_TAG:
        record.observedMicros = readMicros(end)
        break
      case SEVERITY_NUMBER_TAG:
        record.severityNumber = <u32>readVarint(end)
        break
      case SEVERITY_TEXT_TAG:
        readText(SEVERITY_TEXT, end)
        break
      case EVENT_NAME_TAG:
        readText(EVENT_NAME, end)
        break
      case BODY_TAG:
        bodyEnd = readLength(end)
        bodyStart = Wire.position
        bodyParts++
        Wire.position = bodyEnd
        break
      case DROPPED_TAG:
        record.droppedAttributesCount = <u32>readVarint(end)
        break
      case FLAGS_TAG:
        record.flags = load<u32>(readFixed(4, end))
        break
      case TRACE_ID_TAG:
        record.traceIdStart = readId(end, TRACE_ID_BYTES)
        break
      case SPAN_ID_TAG:
        record.spanIdStart = readId(end, SPAN_ID_BYTES)
        break
      default:
        skip(tag, end, LOG_RECORD_FIELDS)
    }
  }
  Wire.position = end
  if (left < 0) return false
  findSlots()
  return true
}

export function clearRecord(): void {
  // The instruction that fills memory is a call out of WebAssembly.
  for (let offset: usize = 0; offset < offsetof<LogRecord>(); offset += 8) {
    store<u64>(changetype<usize>(record) + offset, 0)
  }
}

function readText(index: i32, end: usize): void {
  const stop = readLength(end)
  setText(index, Wire.position, stop)
  Wire.position = stop
}

/** Once for each text, in the order in which the host reads them: of two that are alike it makes the first. */
export function findSlots(): void {
  findSlot(SEVERITY_TEXT)
  findSlot(EVENT_NAME)
  // The id is another one in each record.
  for (let bits = record.present & ((1 << Known.texts) - 2); bits !== 0; bits &= bits - 1) {
    findSlot(FIRST_ATTRIBUTE + <i32>ctz(bits))
  }
}

export function findSlot(index: i32): void {
  const text = textAt(index)
  if (text.start !== 0) text.slot = slotOf(text.start, text.end)
}

/** A fixed64 of nanoseconds, truncated to microseconds: exact as far as a double is. */
function readMicros(end: usize): f64 {
  return <f64>(load<u64>(readFixed(8, end)) / 1000)
}

/** Where an id of so many bytes starts, not all of them 0; 0 for any other, which OpenTelemetry treats as absent. */
function readId(end: usize, bytes: usize): usize {
  const stop = readLength(end)
  const start = Wire.position
  Wire.position = stop
  if (stop - start !== bytes) return 0
  return (load<u64>(start) | load<u64>(stop - 8)) !== 0 ? start : 0
}

function addAttribute(start: usize, end: usize): void {
  readEntry(start, end)
  const key = indexOfName(KNOWN_ATTRIBUTES, Entry.keyStart, Entry.keyEnd)
  if (key < 0) {
    record.hasRest = 1
    return
  }
  record.present |= 1 << key
  store<usize>(known + ((<usize>key) << 3), start)
  store<usize>(known + ((<usize>key) << 3), end, 4)
  if (key < Known.texts) noteText(key)
}

function noteText(key: i32): void {
  const isText = findText()
  const start = isText ? Entry.textStart : 0
  const end = isText ? Entry.textEnd : 0
  setText(FIRST_ATTRIBUTE + key, start, end)
  if (FIRST_ATTRIBUTE + key === EVENT_ID)
    record.hasUuid = end - start === UUID_BYTES && isLowerCaseUuid(start) ? 1 : 0
}

function readKnown(key: i32): void {
  readEntry(load<usize>(known + ((<usize>key) << 3)), load<usize>(known + ((<usize>key) << 3), 4))
}

/** Writes `"key":value` of a known attribute into the object that is open at `at`; returns the end of that. */
export function writeKnown(key: i32, at: usize): usize {
  writeAt(at)
  readKnown(key)
  writeMember(1)
  return Json.position
}

/** Writes all attributes that are not known into the object that is open at `at`; returns the end of that. */
export function writeRest(at: usize): usize {
  writeAt(at)
  Wire.position = recordStart
  while (Wire.position < recordEnd) {
    const tag = readTag(recordEnd)
    if (tag !== ATTRIBUTE_TAG) {
      skip(tag, recordEnd, 0)
      continue
    }
    const stop = readLength(recordEnd)
    readEntry(Wire.position, stop)
    if (indexOfName(KNOWN_ATTRIBUTES, Entry.keyStart, Entry.keyEnd) < 0) writeMember(1)
    Wire.position = stop
  }
  return Json.position
}

/** Writes the value of a known attribute that is a map, as a payload of its own; returns 0 for any other. */
export function writeData(key: i32, at: usize): usize {
  writeAt(at)
  readKnown(key)
  return writeValue(0) === MAP ? Json.position : 0
}

/** Whether a known attribute is the very string that the map written last by `writeData` has under a mirrored key. */
export function isMirrored(key: i32, mirroredKey: i32): bool {
  const start = mirroredStart(mirroredKey)
  if (start === 0) return false
  readKnown(key)
  return findText() && isText(start, mirroredEnd(mirroredKey))
}

/** Has the body be the value of the entry that was read last; false when there is none. */
function readBody(): bool {
  Entry.start = recordStart
  Entry.end = recordEnd
  Entry.valueTag = BODY_TAG
  Entry.isUnusual = bodyParts > 1
  Entry.valueStart = bodyStart
  Entry.valueEnd = bodyEnd
  return bodyParts > 0
}

/** Finds the body when it is a string. */
export function findBodyText(): bool {
  if (!readBody() || !findText()) return false
  setText(BODY_TEXT, Entry.textStart, Entry.textEnd)
  findSlot(BODY_TEXT)
  return true
}

/** Writes `"body":value` into the object that is open at `at`; returns 0 when the record has no body. */
export function writeBody(at: usize): usize {
  if (!readBody()) return 0
  writeAt(at)
  separate()
  writeLiteral('"body":')
  return writeValue(1) !== NO_VALUE ? Json.position : 0
}
