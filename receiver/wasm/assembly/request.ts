import { writeMember } from './any-value'
import { rejectTooLarge, rejectTooMany } from './host'
import { beginPart, Json, writeAt } from './json'
import { readEntry } from './key-value'
import { Limits, VALUE_BYTES } from './limits'
import { readLogRecord } from './log-record'
import { readLength, readTag, readVarint, skip, Wire } from './wire'

// Tags (field number and wire type in one) and, for each message, the bits of its field numbers.
const RESOURCE_LOGS_TAG: u32 = 0x0a
const REQUEST_FIELDS: u32 = 0b10

const RESOURCE_TAG: u32 = 0x0a
const SCOPE_LOGS_TAG: u32 = 0x12
const SCHEMA_URL_TAG: u32 = 0x1a
const RESOURCE_LOGS_FIELDS: u32 = 0b1110

const RESOURCE_ATTRIBUTE_TAG: u32 = 0x0a
const RESOURCE_DROPPED_TAG: u32 = 0x10
const RESOURCE_FIELDS: u32 = 0b110

const SCOPE_TAG: u32 = 0x0a
const LOG_RECORD_TAG: u32 = 0x12
const SCOPE_LOGS_FIELDS: u32 = 0b1110

const SCOPE_NAME_TAG: u32 = 0x0a
const SCOPE_VERSION_TAG: u32 = 0x12
const SCOPE_ATTRIBUTE_TAG: u32 = 0x1a
const SCOPE_DROPPED_TAG: u32 = 0x20
const SCOPE_FIELDS: u32 = 0b1_1110
const NO_FIELDS: u32 = 0

// What `next` came to.
const END: i32 = 0
const RESOURCE: i32 = 1
const SCOPE: i32 = 2
const RECORD: i32 = 3
const LARGE_RECORD: i32 = 4

/** What a resource or a scope says besides its attributes. A text is where it starts and ends, both 0 for none. */
@unmanaged
class Origin {
  droppedAttributesCount: u32
  nameStart: usize
  nameEnd: usize
  versionStart: usize
  versionEnd: usize
  schemaUrlStart: usize
  schemaUrlEnd: usize
  /** Scopes of the resource, or records of the scope. */
  parts: u32
  /** The size of what it says of itself, each field counting some bytes more. */
  ownBytes: u32
}

export const origin = changetype<Origin>(memory.data(offsetof<Origin>()))

/** Where `next` goes on, for the host to see. */
export const progress = memory.data(4)
let requestEnd: usize = 0
let resourceLogsStart: usize = 0
let resourceLogsEnd: usize = 0
let scopeLogsStart: usize = 0
let scopeLogsEnd: usize = 0
/** Of a resource, a scope or, between them, the request: the size of all but its parts. */
let ownBytes: u64 = 0

/** Begins with the ExportLogsServiceRequest between two positions. */
export function begin(start: usize, end: usize, maxEventBytes: u32, maxParts: u32): void {
  Limits.maxEventBytes = maxEventBytes
  Limits.maxParts = maxParts
  ownBytes = 0
  store<usize>(progress, start)
  requestEnd = end
  resourceLogsEnd = start
  scopeLogsEnd = start
}

/**
 * Goes on to the next resource, scope of that resource or record of that scope. Fields may come in any order and
 * messages in parts, so of each resource and each scope everything but the records is read first.
 */
export function next(): i32 {
  Wire.position = load<usize>(progress)
  const found = find()
  store<usize>(progress, Wire.position)
  return found
}

function find(): i32 {
  while (Wire.position < scopeLogsEnd) {
    const tag = readTag(scopeLogsEnd)
    if (tag === LOG_RECORD_TAG) {
      return readLogRecord(readLength(scopeLogsEnd)) ? RECORD : LARGE_RECORD
    }
    skip(tag, scopeLogsEnd, NO_FIELDS)
  }
  while (Wire.position < resourceLogsEnd) {
    const tag = readTag(resourceLogsEnd)
    if (tag === SCOPE_LOGS_TAG) {
      readScopeLogs(readLength(resourceLogsEnd))
      return SCOPE
    }
    skip(tag, resourceLogsEnd, NO_FIELDS)
  }
  while (Wire.position < requestEnd) {
    const tag = readTag(requestEnd)
    if (tag === RESOURCE_LOGS_TAG) {
      readResourceLogs(readLength(requestEnd))
      return RESOURCE
    }
    const start = Wire.position
    skip(tag, requestEnd, REQUEST_FIELDS)
    countOwn(start)
  }
  return END
}

/** Reads all but the scopes, and goes back to the start for them. */
function readResourceLogs(end: usize): void {
  clearOrigin()
  resourceLogsStart = Wire.position
  resourceLogsEnd = end
  while (Wire.position < end) {
    const tag = readTag(end)
    if (tag === SCOPE_LOGS_TAG) {
      Wire.position = readLength(end)
      countPart()
      continue
    }
    const start = Wire.position
    if (tag === RESOURCE_TAG) readResource(readLength(end))
    else if (tag === SCHEMA_URL_TAG) readSchemaUrl(end)
    else skip(tag, end, RESOURCE_LOGS_FIELDS)
    countOwn(start)
  }
  origin.ownBytes = <u32>ownBytes
  ownBytes = 0
  Wire.position = resourceLogsStart
  scopeLogsEnd = resourceLogsStart
}

function readResource(end: usize): void {
  while (Wire.position < end) {
    countField()
    const tag = readTag(end)
    if (tag === RESOURCE_ATTRIBUTE_TAG) Wire.position = readLength(end)
    else if (tag === RESOURCE_DROPPED_TAG) origin.droppedAttributesCount = <u32>readVarint(end)
    else skip(tag, end, RESOURCE_FIELDS)
  }
}

/** Reads all but the records, and goes back to the start for them. */
function readScopeLogs(end: usize): void {
  clearOrigin()
  scopeLogsStart = Wire.position
  scopeLogsEnd = end
  while (Wire.position < end) {
    const tag = readTag(end)
    if (tag === LOG_RECORD_TAG) {
      Wire.position = readLength(end)
      countPart()
      continue
    }
    const start = Wire.position
    if (tag === SCOPE_TAG) readScope(readLength(end))
    else if (tag === SCHEMA_URL_TAG) readSchemaUrl(end)
    else skip(tag, end, SCOPE_LOGS_FIELDS)
    countOwn(start)
  }
  origin.ownBytes = <u32>ownBytes
  ownBytes = 0
  Wire.position = scopeLogsStart
}

function readScope(end: usize): void {
  while (Wire.position < end) {
    countField()
    const tag = readTag(end)
    if (tag === SCOPE_NAME_TAG) {
      origin.nameEnd = readLength(end)
      origin.nameStart = Wire.position
      Wire.position = origin.nameEnd
    } else if (tag === SCOPE_VERSION_TAG) {
      origin.versionEnd = readLength(end)
      origin.versionStart = Wire.position
      Wire.position = origin.versionEnd
    } else if (tag === SCOPE_ATTRIBUTE_TAG) Wire.position = readLength(end)
    else if (tag === SCOPE_DROPPED_TAG) origin.droppedAttributesCount = <u32>readVarint(end)
    else skip(tag, end, SCOPE_FIELDS)
  }
}

function readSchemaUrl(end: usize): void {
  origin.schemaUrlEnd = readLength(end)
  origin.schemaUrlStart = Wire.position
  Wire.position = origin.schemaUrlEnd
}

function clearOrigin(): void {
  memory.fill(changetype<usize>(origin), 0, offsetof<Origin>())
  ownBytes = 0
  beginPart()
}

function countPart(): void {
  if (++origin.parts > Limits.maxParts) rejectTooMany()
}

/** Counts a field that is none of the parts, from its start to the wire's position. */
function countOwn(start: usize): void {
  ownBytes += Wire.position - start
  countField()
}

function countField(): void {
  ownBytes += VALUE_BYTES
  if (ownBytes > Limits.maxEventBytes) rejectTooLarge()
}

/** Writes the attributes of the resource that was found into the object that is open at `at`; returns their end. */
export function writeResourceAttributes(at: usize): usize {
  return writeAttributes(resourceLogsStart, resourceLogsEnd, RESOURCE_TAG, RESOURCE_ATTRIBUTE_TAG, at)
}

/** The same of the scope. */
export function writeScopeAttributes(at: usize): usize {
  return writeAttributes(scopeLogsStart, scopeLogsEnd, SCOPE_TAG, SCOPE_ATTRIBUTE_TAG, at)
}

/** Writes the attributes in all the parts of a message that lie between two positions. */
function writeAttributes(start: usize, end: usize, partTag: u32, attributeTag: u32, at: usize): usize {
  writeAt(at)
  Wire.position = start
  while (Wire.position < end) {
    const tag = readTag(end)
    if (tag !== partTag) {
      skip(tag, end, NO_FIELDS)
      continue
    }
    const partEnd = readLength(end)
    while (Wire.position < partEnd) writeAttribute(partEnd, attributeTag)
  }
  return Json.position
}

function writeAttribute(end: usize, attributeTag: u32): void {
  const tag = readTag(end)
  if (tag !== attributeTag) {
    skip(tag, end, NO_FIELDS)
    return
  }
  const stop = readLength(end)
  readEntry(Wire.position, stop)
  writeMember(1)
  Wire.position = stop
}
