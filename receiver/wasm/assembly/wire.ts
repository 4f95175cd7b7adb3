import { reject, rejectTooLarge } from './host'
import { Limits, VALUE_BYTES } from './limits'

const VARINT: u32 = 0
const FIXED64: u32 = 1
const LENGTH_DELIMITED: u32 = 2
const START_GROUP: u32 = 3
const END_GROUP: u32 = 4
const FIXED32: u32 = 5

const MAX_VARINT_BYTES: usize = 10
/** Deepest nesting of unknown groups; protobuf's own libraries allow 100. */
const MAX_GROUP_DEPTH: u32 = 100
/** The numbers of the unknown groups that are open. */
const openGroups = memory.data(400)

/**
 * Protocol Buffers wire format. Every read takes the `end` of its message, which the caller has checked to lie
 * within the request, and rejects the request rather than read beyond it.
 */
export class Wire {
  static position: usize = 0
}

function fail(what: string, first: f64 = 0, second: f64 = 0): void {
  reject(what, first, second, Wire.position)
  unreachable()
}

/** The next field's number and wire type; the position must be before `end`. */
export function readTag(end: usize): u32 {
  const first: u32 = load<u8>(Wire.position)
  if (first >= 8 && first < 0x80) {
    Wire.position++
    return first
  }
  const tag = readVarint(end)
  if (tag > u32.MAX_VALUE) fail('field number too large')
  if (tag < 8) fail('field number 0')
  return <u32>tag
}

/** The end of the length-delimited field whose content the position is left at. */
export function readLength(end: usize): usize {
  const position = Wire.position
  const first: u32 = position < end ? load<u8>(position) : 0x80
  let length: u64 = first
  if (first < 0x80) Wire.position = position + 1
  else length = readVarint(end)
  if (length > end - Wire.position) fail('length % runs beyond the end of its message', <f64>length)
  return Wire.position + <usize>length
}

export function readVarint(end: usize): u64 {
  let value: u64 = 0
  let position = Wire.position
  const stop = min(end, position + MAX_VARINT_BYTES)
  for (let shift: u64 = 0; position < stop; shift += 7) {
    const byte: u64 = load<u8>(position++)
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      Wire.position = position
      return value
    }
  }
  fail(stop === end ? 'cut off inside a varint' : 'varint longer than 10 bytes')
  return 0
}

/** Where the fixed bytes are that the position is moved behind. */
export function readFixed(bytes: usize, end: usize): usize {
  const position = Wire.position
  if (end - position < bytes) fail('cut off inside % fixed bytes', <f64>bytes)
  Wire.position = position + bytes
  return position
}

/**
 * Skips a field that the caller does not know.
 * @param known the bits of the field numbers that it knows: one of those has the wrong wire type
 */
export function skip(tag: u32, end: usize, known: u32): void {
  const field = tag >> 3
  if (field < 32 && ((known >> field) & 1) !== 0) fail('field % with wire type %', <f64>field, <f64>(tag & 7))
  if ((tag & 7) === START_GROUP) skipGroup(field, end)
  else skipValue(tag, end)
}

function skipValue(tag: u32, end: usize): void {
  switch (tag & 7) {
    case VARINT:
      readVarint(end)
      return
    case FIXED64:
      readFixed(8, end)
      return
    case LENGTH_DELIMITED:
      Wire.position = readLength(end)
      return
    case FIXED32:
      readFixed(4, end)
      return
    default:
      fail('wire type %', <f64>(tag & 7))
  }
}

function skipGroup(field: u32, end: usize): void {
  store<u32>(openGroups, field)
  let depth: u32 = 1
  let left = <i64>Limits.maxEventBytes
  while (depth > 0) {
    left -= VALUE_BYTES
    if (left < 0) rejectTooLarge()
    if (Wire.position >= end) fail('cut off inside a group')
    const tag = readTag(end)
    if ((tag & 7) === START_GROUP) {
      if (depth === MAX_GROUP_DEPTH) fail('groups nested too deep')
      store<u32>(openGroups + 4 * depth++, tag >> 3)
    } else if ((tag & 7) === END_GROUP) {
      if (load<u32>(openGroups + 4 * --depth) !== tag >> 3) fail('end of another group')
    } else skipValue(tag, end)
  }
}
