import { Mirrored, Nesting } from './any-value'
import { EVENT_FIELDS, fields, names } from './json-event'
import { Known, record, texts } from './log-record'
import { clearNames, KNOWN_ATTRIBUTES, MIRRORED_KEYS } from './names'
import { origin, progress } from './request'

export { moveJson } from './json'
export {
  beginList,
  beginSingle,
  configureEvents,
  findMember,
  hasOthers,
  nextEvent,
  writeOthers,
  writeValueAt,
} from './json-event'
export {
  beginRequest,
  findBodyTextJson,
  findUnknown,
  isAtRecord,
  isMirroredJson,
  nextJson,
  placeIndex,
  placeRoot,
  writeBodyJson,
  writeDataJson,
  writeKnownJson,
  writeResourceAttributesJson,
  writeRestJson,
  writeScopeAttributesJson,
} from './json-request'
export { beginScan, root, scan, tapeEnd } from './json-scan'
export { findBodyText, isMirrored, writeBody, writeData, writeKnown, writeRest } from './log-record'
export { addName } from './names'
export { begin, next, writeResourceAttributes, writeScopeAttributes } from './request'

// Where the host finds what was read.
export const recordAddress = changetype<usize>(record)
export const textsAddress = texts
export const originAddress = changetype<usize>(origin)
export const progressAddress = progress
export const knownAttributes = KNOWN_ATTRIBUTES
export const mirroredKeys = MIRRORED_KEYS
export const eventFields = EVENT_FIELDS
export const fieldsAddress = fields
export const namesAddress = names
/** Requests and JSON are put behind this. */
export const free = __heap_base

export function configure(maxDepth: u32, knownTexts: i32, keysMirrored: i32): void {
  Nesting.maxDepth = maxDepth
  Known.texts = knownTexts
  Mirrored.keys = keysMirrored
}

clearNames(KNOWN_ATTRIBUTES)
clearNames(MIRRORED_KEYS)
