import { Nesting } from './any-value'
import { rejectEntry, writeTooDeep } from './host'
import {
  countValue,
  Json,
  reserve,
  separate,
  writeBase64,
  writeByte,
  writeInteger,
  writeLiteral,
} from './json'
import { writeBase64Text } from './json-base64'
import { Integer, int64, isInt64, isWhole, readInteger } from './json-integer'
import {
  ARRAY_VALUE,
  BOOL_VALUE,
  BUFFER_DATA,
  BUFFER_TYPE,
  BYTES_VALUE,
  DOUBLE_VALUE,
  findMemberOf,
  findNamed,
  INT_VALUE,
  KeyValue,
  KVLIST_VALUE,
  memberNamed,
  nameOf,
  readKeyValue,
  requireObject,
  requireString,
  STRING_VALUE,
  VALUES,
} from './json-members'
import { skipZeros, writeDigitsOf } from './json-number'
import { skipDigits } from './json-scalar'
import {
  ARRAY,
  ENTRY_BYTES,
  endOf,
  INFINITY,
  isNull,
  kindOf,
  LITERAL,
  NOT_FINITE,
  NUMBER,
  nextOf,
  OBJECT,
  STRING,
  startOf,
  textEnd,
  textStart,
} from './json-tape'
import { writeScalar, writeStringEntry } from './json-transcode'
import { indexOfName, MIRRORED_KEYS } from './names'

const COLON: u8 = 0x3a
const OPEN_ARRAY: u8 = 0x5b
const CLOSE_ARRAY: u8 = 0x5d
const OPEN_OBJECT: u8 = 0x7b
const CLOSE_OBJECT: u8 = 0x7d
const MINUS: u8 = 0x2d
const POINT: u8 = 0x2e
const ZERO: u8 = 0x30
const QUOTE: u8 = 0x22
/** `Buff` and `er`. */
const BUFF: u32 = 0x66667542
const ER: u16 = 0x7265

export const NO_VALUE: i32 = -1
/** As deep as values can be stored, and a little more. */
const _MAX_LISTS = 1040

/** The AnyValue that is being written. */
class Any {
  static depth: u32 = 0
  /** So many lists in it are open. */
  static lists: u32 = 0
  static notesMirrored: bool = false
}

/** The next element, the end and the member of each open list. */
const lists = memory.data(12480)
const LIST_BYTES: usize = 12

/** Under mirrored keys, the string values of the map that was written last by `writeAnyValue` at depth 0; 0 for none. */
const mirrored = memory.data(256)

export function mirroredString(key: i32): usize {
  return load<usize>(mirrored + ((<usize>key) << 2))
}

/** Writes an AnyValue, 0 for none, that lies in `depth` objects and arrays; returns the member of the oneof. */
export function writeAnyValue(value: usize, depth: u32): i32 {
  Any.lists = 0
  Any.depth = depth
  Any.notesMirrored = depth === 0
  const member = writeOne(value)
  while (Any.lists > 0) nextElement()
  return member
}

/** Goes on in the innermost list. */
function nextElement(): void {
  const list = lists + <usize>(Any.lists - 1) * LIST_BYTES
  const item = load<usize>(list)
  const isMap = load<i32>(list, 8) === KVLIST_VALUE
  if (item >= load<usize>(list, 4)) {
    writeByte(isMap ? CLOSE_OBJECT : CLOSE_ARRAY)
    Any.lists--
    return
  }
  store<usize>(list, nextOf(item))
  separate()
  if (!isMap) {
    requireObject(item)
    writeOne(item)
    return
  }
  readKeyValue(item)
  if (Any.notesMirrored && Any.lists === 1) noteMirrored()
  writeKeyOf()
  writeOne(KeyValue.value)
}

/** Writes the key of the KeyValue that was read last. */
export function writeKeyOf(): void {
  if (KeyValue.key === 0) writeLiteral('""')
  else writeStringEntry(KeyValue.key)
  writeByte(COLON)
}

function noteMirrored(): void {
  if (KeyValue.key === 0) return
  const start = textStart(KeyValue.key)
  const key = indexOfName(MIRRORED_KEYS, start, textEnd(KeyValue.key))
  if (key >= 0) store<usize>(mirrored + ((<usize>key) << 2), stringIn(KeyValue.value))
}

/** The string that an AnyValue is; 0 when it is none. */
export function stringIn(value: usize): usize {
  if (value === 0) return 0
  requireObject(value)
  if (isOnlyString(value)) return value + 2 * ENTRY_BYTES
  const found = findMemberOf(value, STRING_VALUE)
  return found !== 0 && kindOf(found) === STRING ? found : 0
}

const STRING_VALUE_START: u64 = ((<u64>0x6156676e) << 32) | 0x69727473 // stringVa
const STRING_VALUE_END: u32 = 0x2265_756c // lue"

/** Whether an AnyValue is `{"stringValue":"..."}` and no more. */
function isOnlyString(value: usize): bool {
  const key = value + ENTRY_BYTES
  const string = key + ENTRY_BYTES
  if (nextOf(value) !== string + 2 * ENTRY_BYTES || kindOf(string) !== STRING) return false
  const start = startOf(key) + 1
  return load<u64>(start) === STRING_VALUE_START && load<u32>(start + 8) === STRING_VALUE_END
}

/** Writes a value as far as it is no list, whose bracket it writes; returns the member of the oneof. */
function writeOne(value: usize): i32 {
  countValue()
  if (value === 0) {
    writeLiteral('null')
    return NO_VALUE
  }
  requireObject(value)
  if (isOnlyString(value)) {
    writeStringEntry(value + 2 * ENTRY_BYTES)
    return STRING_VALUE
  }
  findOneof(value)
  const entry = Oneof.value
  const member = Oneof.member
  switch (member) {
    case STRING_VALUE:
      requireString(entry)
      writeStringEntry(entry)
      break
    case BOOL_VALUE:
      if (kindOf(entry) !== LITERAL) rejectEntry('must be true or false', entry)
      writeScalar(entry, LITERAL)
      break
    case INT_VALUE:
      writeIntValue(entry)
      break
    case DOUBLE_VALUE:
      writeDoubleValue(entry)
      break
    case ARRAY_VALUE:
    case KVLIST_VALUE:
      openList(entry, member)
      break
    case BYTES_VALUE:
      if (!writeBytesValue(entry)) rejectEntry('must be base64 text', entry)
      break
    default:
      writeLiteral('null')
  }
  return member
}

/** The member of an AnyValue that was found last. */
class Oneof {
  static member: i32 = NO_VALUE
  static value: usize = 0
}

/** The member of the oneof that an AnyValue has. */
export function oneofOf(value: usize): i32 {
  requireObject(value)
  findOneof(value)
  return Oneof.member
}

function findOneof(object: usize): void {
  Oneof.member = NO_VALUE
  let found = NO_VALUE
  const end = nextOf(object) - ENTRY_BYTES
  let key = object + ENTRY_BYTES
  while (key < end) {
    const value = key + ENTRY_BYTES
    const name = nameOf(key)
    if (name >= 0 && isOfOneof(memberNamed(name))) {
      if (found !== NO_VALUE && found !== name) {
        findLastOfEach(object)
        return
      }
      found = name
      Oneof.member = isNull(value) ? NO_VALUE : memberNamed(name)
      Oneof.value = value
    }
    key = nextOf(value)
  }
}

function isOfOneof(member: i32): bool {
  return member >= STRING_VALUE && member <= BYTES_VALUE
}

/** The same of an object that has several of the names: all but one of them may be null in the end. */
function findLastOfEach(object: usize): void {
  Oneof.member = NO_VALUE
  for (let name = 0; name < 64; name++) {
    if (!isOfOneof(memberNamed(name))) continue
    const value = findNamed(object, name)
    if (value === 0) continue
    if (Oneof.member !== NO_VALUE) rejectEntry('must have one value, not several', object)
    Oneof.member = memberNamed(name)
    Oneof.value = value
  }
}

function openList(entry: usize, member: i32): void {
  requireObject(entry)
  const depth = Any.depth + Any.lists
  if (depth >= Nesting.maxDepth) {
    reserve(64)
    Json.position = writeTooDeep(Json.position)
    return
  }
  const values = findMemberOf(entry, VALUES)
  if (values !== 0 && kindOf(values) !== ARRAY) rejectEntry('must be an array', values)
  if (Any.notesMirrored && Any.lists === 0) {
    for (let key = 0; key < 64; key++) store<usize>(mirrored + ((<usize>key) << 2), 0)
  }
  writeByte(member === KVLIST_VALUE ? OPEN_OBJECT : OPEN_ARRAY)
  const list = lists + <usize>Any.lists * LIST_BYTES
  store<usize>(list, values === 0 ? 0 : values + ENTRY_BYTES)
  store<usize>(list, values === 0 ? 0 : nextOf(values) - ENTRY_BYTES, 4)
  store<i32>(list, member, 8)
  Any.lists++
}

/** Also an integer beyond 64 bits, which JavaScript's SDK sends for any whole number: JSON holds it. */
function writeIntValue(entry: usize): void {
  if (readInteger(entry)) {
    if (isInt64()) {
      writeInteger(int64())
      return
    }
    if (kindOf(entry) === NUMBER && writeFinite(startOf(entry), endOf(entry))) return
  }
  const isText = kindOf(entry) === STRING
  if (!isText && kindOf(entry) !== NUMBER) rejectEntry('must be an integer', entry)
  const start = isText ? textStart(entry) : startOf(entry)
  const end = isText ? textEnd(entry) : endOf(entry)
  const digits = start < end && load<u8>(start) === MINUS ? start + 1 : start
  const isInteger = digits < end && skipDigits(digits) === end
  if (!isInteger && (isText || !isWhole(entry))) rejectEntry('must be an integer', entry)
  if (!writeFinite(start, end)) rejectEntry('must be an integer', entry)
}

/** Writes a number; false, and nothing, when it is beyond the range of a double. */
function writeFinite(start: usize, end: usize): bool {
  const written = Json.position
  writeDecimal(start, end)
  if (load<u8>(Json.position - 1) !== QUOTE) return true
  Json.position = written
  return false
}

/** Base64, or a Buffer as JSON.stringify writes it, which JavaScript's SDK sent before 0.212. */
function writeBytesValue(entry: usize): bool {
  if (kindOf(entry) === STRING) return writeBase64Text(textStart(entry), textEnd(entry))
  if (kindOf(entry) !== OBJECT) return false
  const type = findMemberOf(entry, BUFFER_TYPE)
  const data = findMemberOf(entry, BUFFER_DATA)
  if (type === 0 || kindOf(type) !== STRING || data === 0 || kindOf(data) !== ARRAY) return false
  if (
    textEnd(type) - textStart(type) !== 6 ||
    load<u32>(textStart(type)) !== BUFF ||
    load<u16>(textStart(type) + 4) !== ER
  )
    return false
  const end = nextOf(data) - ENTRY_BYTES
  // Behind what they become, in the standard alphabet.
  const bytes = Json.position + (end - data) + 64
  reserve(2 * (end - data) + 128)
  let count: usize = 0
  for (let item = data + ENTRY_BYTES; item < end; item = nextOf(item)) {
    if (kindOf(item) !== NUMBER || !readInteger(item)) return false
    if (Integer.magnitude > (Integer.isNegative ? 0 : 255)) return false
    store<u8>(bytes + count, <u8>Integer.magnitude)
    count++
  }
  writeBase64(bytes, bytes + count)
  return true
}

/** A number, also as a string, or the name of one that is not finite. */
function writeDoubleValue(entry: usize): void {
  const kind = kindOf(entry)
  if (kind === NUMBER || kind === NOT_FINITE) {
    writeScalar(entry, kind)
    return
  }
  if (kind === STRING) {
    const start = textStart(entry)
    const end = textEnd(entry)
    if (isNotFinite(start, end)) {
      writeStringEntry(entry)
      return
    }
    if (isDecimal(start, end)) {
      writeDecimal(start, end)
      return
    }
  }
  rejectEntry('must be a number, "NaN", "Infinity" or "-Infinity"', entry)
}

function isNotFinite(start: usize, end: usize): bool {
  const length = end - start
  if (length === 3) return (load<u32>(start) & 0xffffff) === 0x4e614e
  const isNegative = length === 9 && load<u8>(start) === MINUS
  return (length === 8 || isNegative) && load<u64>(end - 8) === INFINITY
}

function isDecimal(start: usize, end: usize): bool {
  let at = start < end && load<u8>(start) === MINUS ? start + 1 : start
  const integer = at
  at = skipDigits(at)
  if (at === integer) return false
  if (at < end && load<u8>(at) === POINT) {
    const fraction = ++at
    at = skipDigits(at)
    if (at === fraction) return false
  }
  if (at < end && (load<u8>(at) | 0x20) === 0x65) {
    at++
    if (at < end && (load<u8>(at) === MINUS || load<u8>(at) === 0x2b)) at++
    const exponent = at
    at = skipDigits(at)
    if (at === exponent) return false
  }
  return at === end
}

/** JSON knows no zeros in front of a number. */
function writeDecimal(start: usize, end: usize): void {
  const isNegative = load<u8>(start) === MINUS
  const integer = isNegative ? start + 1 : start
  const first = skipZeros(integer)
  const isZero = first === end || <u8>(load<u8>(first) - ZERO) > 9
  writeDigitsOf(isZero && first > integer ? first - 1 : first, end, isNegative)
}
