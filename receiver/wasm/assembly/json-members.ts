import { rejectEntry } from './host'
import { ENTRY_BYTES, isNull, kindOf, nextOf, OBJECT, STRING, startOf, textEnd, textStart } from './json-tape'
import { addName, clearNames, indexOfName } from './names'

// Members of OTLP's messages in JSON.
export const RESOURCE_LOGS: i32 = 0
export const RESOURCE: i32 = 1
export const SCOPE_LOGS: i32 = 2
export const SCOPE: i32 = 3
export const LOG_RECORDS: i32 = 4
export const SCHEMA_URL: i32 = 5
export const ATTRIBUTES: i32 = 6
export const DROPPED_ATTRIBUTES_COUNT: i32 = 7
export const NAME: i32 = 8
export const VERSION: i32 = 9
export const TIME: i32 = 10
export const OBSERVED_TIME: i32 = 11
export const SEVERITY_NUMBER: i32 = 12
export const SEVERITY_TEXT: i32 = 13
export const BODY: i32 = 14
export const FLAGS: i32 = 15
export const TRACE_ID: i32 = 16
export const SPAN_ID: i32 = 17
export const EVENT_NAME: i32 = 18
export const KEY_MEMBER: i32 = 19
export const VALUE_MEMBER: i32 = 20
export const STRING_VALUE: i32 = 21
export const BOOL_VALUE: i32 = 22
export const INT_VALUE: i32 = 23
export const DOUBLE_VALUE: i32 = 24
export const ARRAY_VALUE: i32 = 25
export const KVLIST_VALUE: i32 = 26
export const BYTES_VALUE: i32 = 27
export const VALUES: i32 = 28
export const BUFFER_TYPE: i32 = 29
export const BUFFER_DATA: i32 = 30
const NONE: i32 = -1

/** The members' names, at most 64 of them. */
const names = memory.data(2176)
clearNames(names)
let nameCount: i32 = 0
/** For each name its member, and the next name of that in the order in which they count. */
const memberOfName = memory.data(64)
const nextName = memory.data(64)
/** For each member its first name. */
const firstName = memory.data(32)
memory.fill(firstName, <u8>NONE, 32)

/** Adds a member by its name in lowerCamelCase and, where it is another, that of the .proto file. */
function addMember(member: i32, camelCase: string): void {
  const camel = memory.data(32)
  const snake = memory.data(32)
  let camelEnd = camel
  let snakeEnd = snake
  for (let index = 0; index < camelCase.length; index++) {
    const unit = <u8>camelCase.charCodeAt(index)
    store<u8>(camelEnd++, unit)
    const isUpper = unit >= 0x41 && unit <= 0x5a
    if (isUpper) store<u8>(snakeEnd++, 0x5f)
    store<u8>(snakeEnd++, isUpper ? unit | 0x20 : unit)
  }
  addNameOf(member, camel, camelEnd)
  if (snakeEnd - snake !== camelEnd - camel) addNameOf(member, snake, snakeEnd)
}

function addNameOf(member: i32, start: usize, end: usize): void {
  const name = nameCount++
  addName(names, name, start, end)
  store<i8>(memberOfName + name, <i8>member)
  store<i8>(nextName + name, <i8>NONE)
  let last: i32 = load<i8>(firstName + member)
  if (last === NONE) {
    store<i8>(firstName + member, <i8>name)
    return
  }
  while (load<i8>(nextName + last) !== NONE) last = load<i8>(nextName + last)
  store<i8>(nextName + last, <i8>name)
}

addMember(RESOURCE_LOGS, 'resourceLogs')
addMember(RESOURCE, 'resource')
addMember(SCOPE_LOGS, 'scopeLogs')
addMember(SCOPE, 'scope')
addMember(LOG_RECORDS, 'logRecords')
addMember(SCHEMA_URL, 'schemaUrl')
addMember(ATTRIBUTES, 'attributes')
addMember(DROPPED_ATTRIBUTES_COUNT, 'droppedAttributesCount')
addMember(NAME, 'name')
addMember(VERSION, 'version')
addMember(TIME, 'timeUnixNano')
addMember(OBSERVED_TIME, 'observedTimeUnixNano')
addMember(SEVERITY_NUMBER, 'severityNumber')
addMember(SEVERITY_TEXT, 'severityText')
addMember(BODY, 'body')
addMember(FLAGS, 'flags')
addMember(TRACE_ID, 'traceId')
addMember(SPAN_ID, 'spanId')
addMember(EVENT_NAME, 'eventName')
addMember(KEY_MEMBER, 'key')
addMember(VALUE_MEMBER, 'value')
addMember(STRING_VALUE, 'stringValue')
addMember(BOOL_VALUE, 'boolValue')
addMember(INT_VALUE, 'intValue')
addMember(DOUBLE_VALUE, 'doubleValue')
addMember(ARRAY_VALUE, 'arrayValue')
addMember(KVLIST_VALUE, 'kvlistValue')
addMember(BYTES_VALUE, 'bytesValue')
addMember(VALUES, 'values')
addMember(BUFFER_TYPE, 'type')
addMember(BUFFER_DATA, 'data')
// As they were called before OTLP 1.0.
addMember(SCOPE_LOGS, 'instrumentationLibraryLogs')
addMember(SCOPE, 'instrumentationLibrary')
addMember(LOG_RECORDS, 'logs')

/** The name that a key is; -1 for one that is unknown, which is ignored. */
export function nameOf(key: usize): i32 {
  const start = textStart(key)
  return indexOfName(names, start, textEnd(key))
}

/** The member that a name stands for. */
export function memberNamed(name: i32): i32 {
  return load<i8>(memberOfName + name)
}

/** The values under each name in the message that was read last; 0 where there is none, or null. */
const slots = memory.data(256)

/** The value of a member of the message that was read last, under the first of its names that has one; or 0. */
export function slotOfMember(member: i32): usize {
  let name: i32 = load<i8>(firstName + member)
  let value: usize = 0
  while (name !== NONE && value === 0) {
    value = load<usize>(slots + ((<usize>name) << 2))
    name = load<i8>(nextName + name)
  }
  return value
}

/** Reads the members of an object. Of two with one name the last counts. */
export function readMembers(object: usize): void {
  for (let offset: usize = 0; offset < (<usize>nameCount) << 2; offset += 8) store<u64>(slots + offset, 0)
  const end = nextOf(object) - ENTRY_BYTES
  let key = object + ENTRY_BYTES
  while (key < end) {
    const value = key + ENTRY_BYTES
    const name = nameOf(key)
    if (name >= 0) store<usize>(slots + ((<usize>name) << 2), isNull(value) ? 0 : value)
    key = nextOf(value)
  }
}

/** The value of a member of an object, under the first of its names that has one; 0 when there is none, or null. */
export function findMemberOf(object: usize, member: i32): usize {
  let name: i32 = load<i8>(firstName + member)
  let value: usize = 0
  while (name !== NONE && value === 0) {
    value = findNamed(object, name)
    name = load<i8>(nextName + name)
  }
  return value
}

/** The last value under a name in an object; 0 when there is none, or null. */
export function findNamed(object: usize, wanted: i32): usize {
  const end = nextOf(object) - ENTRY_BYTES
  let found: usize = 0
  let key = object + ENTRY_BYTES
  while (key < end) {
    const value = key + ENTRY_BYTES
    if (nameOf(key) === wanted) found = isNull(value) ? 0 : value
    key = nextOf(value)
  }
  return found
}

/** The first key of an object that is no name of three members; 0 when each is. */
export function unknownKey(object: usize, first: i32, second: i32, third: i32): usize {
  const end = nextOf(object) - ENTRY_BYTES
  for (let key = object + ENTRY_BYTES; key < end; key = nextOf(key + ENTRY_BYTES)) {
    const name = nameOf(key)
    const member = name < 0 ? NONE : memberNamed(name)
    if (member === NONE || (member !== first && member !== second && member !== third)) return key
  }
  return 0
}

/** The KeyValue that was read last. */
export class KeyValue {
  /** The string; 0 for none. */
  static key: usize = 0
  /** The AnyValue; 0 for none. */
  static value: usize = 0
}

const KEY_START: u32 = 0x79656b22 // "key
const VALUE_START: u64 = ((<u64>0x00226575) << 32) | 0x6c617622 // "value"
const QUOTE: u8 = 0x22

/** Reads a KeyValue, an object. */
export function readKeyValue(item: usize): void {
  requireObject(item)
  const end = nextOf(item) - ENTRY_BYTES
  const key = item + ENTRY_BYTES
  const value = item + 4 * ENTRY_BYTES
  // As every encoder writes it: the key, then the value, each once. Beyond the text lie zeros.
  if (value < end && nextOf(value) === end && isKeyThenValue(key)) {
    KeyValue.key = key + ENTRY_BYTES
    KeyValue.value = isNull(value) ? 0 : value
    return
  }
  KeyValue.key = findMemberOf(item, KEY_MEMBER)
  KeyValue.value = findMemberOf(item, VALUE_MEMBER)
  if (KeyValue.key !== 0) requireString(KeyValue.key)
}

function isKeyThenValue(first: usize): bool {
  const start = startOf(first)
  if (load<u32>(start) !== KEY_START || load<u8>(start + 4) !== QUOTE) return false
  if (kindOf(first + ENTRY_BYTES) !== STRING) return false
  return load<u64>(startOf(first + 2 * ENTRY_BYTES)) << 8 === VALUE_START << 8
}

export function requireObject(entry: usize): void {
  if (kindOf(entry) !== OBJECT) rejectEntry('must be an object', entry)
}

export function requireString(entry: usize): void {
  if (kindOf(entry) !== STRING) rejectEntry('must be a string', entry)
}
