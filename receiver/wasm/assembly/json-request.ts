import { rejectEntry, rejectTooLarge } from './host'
import { beginPart, Json, separate, writeAt, writeLiteral } from './json'
import { mirroredString, NO_VALUE, oneofOf, stringIn, writeAnyValue, writeKeyOf } from './json-any-value'
import { readId, readMicros, readSeverityNumber, readText, readUint32, stringOf } from './json-fields'
import {
  ATTRIBUTES,
  BODY,
  DROPPED_ATTRIBUTES_COUNT,
  EVENT_NAME,
  FLAGS,
  findMemberOf,
  KeyValue,
  KVLIST_VALUE,
  LOG_RECORDS,
  NAME,
  OBSERVED_TIME,
  RESOURCE,
  RESOURCE_LOGS,
  readKeyValue,
  readMembers,
  requireObject,
  SCHEMA_URL,
  SCOPE,
  SCOPE_LOGS,
  SEVERITY_TEXT,
  SPAN_ID,
  slotOfMember,
  TIME,
  TRACE_ID,
  unknownKey,
  VERSION,
} from './json-members'
import { root } from './json-scan'
import { ARRAY, ENTRY_BYTES, isTooLarge, kindOf, nextOf, startOf, textEnd, textStart } from './json-tape'
import {
  BODY_TEXT,
  clearRecord,
  EVENT_ID,
  EVENT_NAME as EVENT_NAME_TEXT,
  FIRST_ATTRIBUTE,
  findSlot,
  findSlots,
  Known,
  record,
  SEVERITY_TEXT as SEVERITY_TEXT_TEXT,
  setText,
} from './log-record'
import { indexOfName, isLowerCaseUuid, isSame, KNOWN_ATTRIBUTES } from './names'
import { origin, progress } from './request'

const UUID_BYTES: usize = 36
const TRACE_ID_BYTES: usize = 16
const SPAN_ID_BYTES: usize = 8
// What `nextJson` came to.
const END: i32 = 0
const FOUND_RESOURCE: i32 = 1
const FOUND_SCOPE: i32 = 2
const FOUND_RECORD: i32 = 3
const LARGE_RECORD: i32 = 4

/** The next element of each list that is open, and its end. */
let resourceLogs: usize = 0
let resourceLogsEnd: usize = 0
let scopeLogs: usize = 0
let scopeLogsEnd: usize = 0
let logRecords: usize = 0
let logRecordsEnd: usize = 0

/** Attributes of the resource and of the scope that were found last, and of the record. */
let resourceAttributes: usize = 0
let scopeAttributes: usize = 0
let attributes: usize = 0
let body: usize = 0
/** The KeyValue of the last attribute of each known key. */
const known = memory.data(128)
const traceId = memory.data(16)
const spanId = memory.data(8)

/** Begins with the request that the text is. */
export function beginRequest(): void {
  store<usize>(progress, startOf(root()))
  item = root()
  isRecord = false
  resourceIndex = -1
  scopeIndex = -1
  recordIndex = -1
  readMembers(root())
  const list = listOf(RESOURCE_LOGS)
  resourceLogs = firstOf(list)
  resourceLogsEnd = endOfList(list)
  scopeLogs = 0
  scopeLogsEnd = 0
  logRecords = 0
  logRecordsEnd = 0
}

/** The list under a member of what was read last; 0 when there is none. */
function listOf(member: i32): usize {
  const list = slotOfMember(member)
  if (list !== 0 && kindOf(list) !== ARRAY) rejectEntry('must be an array', list)
  return list
}

function firstOf(list: usize): usize {
  return list === 0 ? 0 : list + ENTRY_BYTES
}

function endOfList(list: usize): usize {
  return list === 0 ? 0 : nextOf(list) - ENTRY_BYTES
}

/** The resource, scope or record that is being read: places of what is wrong are named from here. */
let item: usize = 0
let isRecord: bool = false
/** Which of the resources it is or lies in, which of its scopes, and which of the records of that; -1 for none. */
let resourceIndex: i32 = -1
let scopeIndex: i32 = -1
let recordIndex: i32 = -1

export function placeRoot(): usize {
  return item
}

export function placeIndex(level: i32): i32 {
  return level === 0 ? resourceIndex : level === 1 ? scopeIndex : recordIndex
}

/** Whether that is a record, which can be wrong alone. */
export function isAtRecord(): bool {
  return isRecord
}

/** A key on the way to the records that is not known, for a request that has no records; 0 when each is. */
export function findUnknown(): usize {
  let key = unknownKey(root(), RESOURCE_LOGS, RESOURCE_LOGS, RESOURCE_LOGS)
  const list = findMemberOf(root(), RESOURCE_LOGS)
  for (let part = firstOf(list); key === 0 && part < endOfList(list); part = nextOf(part)) {
    key = unknownKey(part, SCOPE_LOGS, RESOURCE, SCHEMA_URL)
    const scopes = findMemberOf(part, SCOPE_LOGS)
    for (let scope = firstOf(scopes); key === 0 && scope < endOfList(scopes); scope = nextOf(scope)) {
      key = unknownKey(scope, LOG_RECORDS, SCOPE, SCHEMA_URL)
    }
  }
  return key
}

/** Goes on to the next record of the scope, scope of the resource, or resource. */
export function nextJson(): i32 {
  if (logRecords < logRecordsEnd) {
    item = logRecords
    isRecord = true
    recordIndex++
    logRecords = nextOf(item)
    store<usize>(progress, startOf(item))
    return readLogRecord(item) ? FOUND_RECORD : LARGE_RECORD
  }
  isRecord = false
  recordIndex = -1
  if (scopeLogs < scopeLogsEnd) {
    item = scopeLogs
    scopeIndex++
    scopeLogs = nextOf(item)
    readScopeLogs(item)
    return FOUND_SCOPE
  }
  scopeIndex = -1
  if (resourceLogs < resourceLogsEnd) {
    item = resourceLogs
    resourceIndex++
    resourceLogs = nextOf(item)
    readResourceLogs(item)
    return FOUND_RESOURCE
  }
  return END
}

function readResourceLogs(item: usize): void {
  requireObject(item)
  clearOrigin()
  readMembers(item)
  const list = listOf(SCOPE_LOGS)
  scopeLogs = firstOf(list)
  scopeLogsEnd = endOfList(list)
  readSchemaUrl()
  resourceAttributes = readPart(slotOfMember(RESOURCE))
}

function readScopeLogs(item: usize): void {
  requireObject(item)
  clearOrigin()
  readMembers(item)
  const list = listOf(LOG_RECORDS)
  logRecords = firstOf(list)
  logRecordsEnd = endOfList(list)
  readSchemaUrl()
  scopeAttributes = readPart(slotOfMember(SCOPE))
}

function clearOrigin(): void {
  memory.fill(changetype<usize>(origin), 0, 36)
  beginPart()
}

function readSchemaUrl(): void {
  const url = stringOf(SCHEMA_URL)
  if (url === 0) return
  origin.schemaUrlStart = textStart(url)
  origin.schemaUrlEnd = textEnd(url)
}

/** Reads a resource or scope, if there is one, and returns its attributes. */
function readPart(part: usize): usize {
  if (part === 0) return 0
  requireObject(part)
  if (isTooLarge(part)) rejectTooLarge()
  origin.ownBytes = <u32>(nextOf(part) - part)
  readMembers(part)
  origin.droppedAttributesCount = readUint32(DROPPED_ATTRIBUTES_COUNT)
  const name = stringOf(NAME)
  if (name !== 0) {
    origin.nameStart = textStart(name)
    origin.nameEnd = textEnd(name)
  }
  const version = stringOf(VERSION)
  if (version !== 0) {
    origin.versionStart = textStart(version)
    origin.versionEnd = textEnd(version)
  }
  return listOf(ATTRIBUTES)
}

/** False for one that is larger than an event may be. */
function readLogRecord(item: usize): bool {
  requireObject(item)
  if (isTooLarge(item)) return false
  beginPart()
  clearRecord()
  readMembers(item)
  record.timeMicros = readMicros(TIME)
  record.observedMicros = readMicros(OBSERVED_TIME)
  record.severityNumber = readSeverityNumber()
  readText(SEVERITY_TEXT_TEXT, SEVERITY_TEXT)
  readText(EVENT_NAME_TEXT, EVENT_NAME)
  record.droppedAttributesCount = readUint32(DROPPED_ATTRIBUTES_COUNT)
  record.flags = readUint32(FLAGS)
  record.traceIdStart = readId(TRACE_ID, TRACE_ID_BYTES, traceId)
  record.spanIdStart = readId(SPAN_ID, SPAN_ID_BYTES, spanId)
  body = slotOfMember(BODY)
  if (body !== 0) requireObject(body)
  attributes = listOf(ATTRIBUTES)
  readAttributes()
  // Last of all: what the cache says is there, the host has to put there.
  findSlots()
  return true
}

function readAttributes(): void {
  const end = endOfList(attributes)
  for (let item = firstOf(attributes); item < end; item = nextOf(item)) {
    const key = knownKeyOf(item)
    if (key < 0) {
      record.hasRest = 1
      continue
    }
    record.present |= 1 << key
    store<usize>(known + ((<usize>key) << 2), item)
    if (key < Known.texts) noteText(key)
  }
}

/** The place of an attribute's key among those that are known, or -1. */
function knownKeyOf(item: usize): i32 {
  readKeyValue(item)
  const key = KeyValue.key
  if (key === 0) return -1
  const start = textStart(key)
  return indexOfName(KNOWN_ATTRIBUTES, start, textEnd(key))
}

function noteText(key: i32): void {
  const string = stringIn(KeyValue.value)
  const start: usize = string === 0 ? 0 : textStart(string)
  const end: usize = string === 0 ? 0 : textEnd(string)
  setText(FIRST_ATTRIBUTE + key, start, end)
  if (FIRST_ATTRIBUTE + key === EVENT_ID)
    record.hasUuid = end - start === UUID_BYTES && isLowerCaseUuid(start) ? 1 : 0
}

function writeAttribute(item: usize): void {
  readKeyValue(item)
  const value = KeyValue.value
  separate()
  writeKeyOf()
  writeAnyValue(value, 1)
}

/** Writes the attributes of the resource that was found into the object that is open at `at`; returns their end. */
export function writeResourceAttributesJson(at: usize): usize {
  return writeAttributes(resourceAttributes, at)
}

/** The same of the scope. */
export function writeScopeAttributesJson(at: usize): usize {
  return writeAttributes(scopeAttributes, at)
}

function writeAttributes(list: usize, at: usize): usize {
  writeAt(at)
  const end = endOfList(list)
  for (let item = firstOf(list); item < end; item = nextOf(item)) writeAttribute(item)
  return Json.position
}

function knownItem(key: i32): usize {
  return load<usize>(known + ((<usize>key) << 2))
}

/** Writes `"key":value` of a known attribute into the object that is open at `at`; returns the end of that. */
export function writeKnownJson(key: i32, at: usize): usize {
  writeAt(at)
  writeAttribute(knownItem(key))
  return Json.position
}

/** Writes all attributes that are not known into the object that is open at `at`; returns the end of that. */
export function writeRestJson(at: usize): usize {
  writeAt(at)
  const end = endOfList(attributes)
  for (let item = firstOf(attributes); item < end; item = nextOf(item)) {
    if (knownKeyOf(item) < 0) writeAttribute(item)
  }
  return Json.position
}

/** Writes the value of a known attribute that is a map, as a payload of its own; returns 0 for any other. */
export function writeDataJson(key: i32, at: usize): usize {
  readKeyValue(knownItem(key))
  const value = KeyValue.value
  if (value === 0 || oneofOf(value) !== KVLIST_VALUE) return 0
  writeAt(at)
  writeAnyValue(value, 0)
  return Json.position
}

/** Whether a known attribute is the very string that the map written last by `writeDataJson` has under a mirrored key. */
export function isMirroredJson(key: i32, mirroredKey: i32): bool {
  const copy = mirroredString(mirroredKey)
  if (copy === 0) return false
  readKeyValue(knownItem(key))
  const string = stringIn(KeyValue.value)
  if (string === 0) return false
  const start = textStart(string)
  const copyStart = textStart(copy)
  const length = textEnd(string) - start
  return textEnd(copy) - copyStart === length && isSame(start, copyStart, length)
}

/** Finds the body when it is a string. */
export function findBodyTextJson(): bool {
  const string: usize = body === 0 ? 0 : stringIn(body)
  if (string === 0) return false
  setText(BODY_TEXT, textStart(string), textEnd(string))
  findSlot(BODY_TEXT)
  return true
}

/** Writes `"body":value` into the object that is open at `at`; returns 0 when the record has no body. */
export function writeBodyJson(at: usize): usize {
  if (body === 0) return 0
  writeAt(at)
  separate()
  writeLiteral('"body":')
  return writeAnyValue(body, 1) === NO_VALUE ? 0 : Json.position
}
