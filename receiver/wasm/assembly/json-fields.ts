import { rejectEntry } from './host'
import { readBase64 } from './json-base64'
import { Integer, readInteger } from './json-integer'
import { requireString, SEVERITY_NUMBER, slotOfMember } from './json-members'
import { hexValue, kindOf, STRING, textEnd, textStart } from './json-tape'
import { setText } from './log-record'

// Members of the message that was read last, as what they mean.

const UINT32_MAX: u64 = 0xffff_ffff
const INT32_BOUND: u64 = 0x8000_0000
const TRACE_ID_BYTES: usize = 16
/** More than the bytes of an id. */
const decoded = memory.data(64)

export function stringOf(member: i32): usize {
  const entry = slotOfMember(member)
  if (entry !== 0) requireString(entry)
  return entry
}

export function readUint32(member: i32): u32 {
  const entry = slotOfMember(member)
  if (entry === 0) return 0
  if (
    !readInteger(entry) ||
    (Integer.isNegative && Integer.magnitude !== 0) ||
    Integer.magnitude > UINT32_MAX
  )
    rejectEntry('must be an integer from 0 to 4294967295', entry)
  return <u32>Integer.magnitude
}

export function readSeverityNumber(): u32 {
  const entry = slotOfMember(SEVERITY_NUMBER)
  if (entry === 0) return 0
  if (readInteger(entry) && Integer.magnitude < INT32_BOUND + (Integer.isNegative ? 1 : 0)) {
    const magnitude = <i32>Integer.magnitude
    return <u32>(Integer.isNegative ? -magnitude : magnitude)
  }
  const severity = kindOf(entry) === STRING ? severityNamed(textStart(entry), textEnd(entry)) : -1
  if (severity < 0) rejectEntry('must be an integer from -2147483648 to 2147483647, or a name', entry)
  return <u32>severity
}

const SEVERITY_PREFIX = 'SEVERITY_NUMBER_'
/** Four numbers each, from 1 on. */
const SEVERITIES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']

/** The number that a name in OTLP's enum stands for; -1 for any other text. */
function severityNamed(start: usize, end: usize): i32 {
  if (end - start > 32 || !startsWith(start, end, SEVERITY_PREFIX)) return -1
  const name = start + SEVERITY_PREFIX.length
  if (end - name === 11 && startsWith(name, end, 'UNSPECIFIED')) return 0
  for (let index = 0; index < SEVERITIES.length; index++) {
    const severity = SEVERITIES[index]
    if (!startsWith(name, end, severity)) continue
    const rest = end - name - severity.length
    if (rest === 0) return 4 * index + 1
    const step = <i32>load<u8>(end - 1) - 0x31
    return rest === 1 && step >= 1 && step <= 3 ? 4 * index + 1 + step : -1
  }
  return -1
}

function startsWith(start: usize, end: usize, text: string): bool {
  if (end - start < <usize>text.length) return false
  for (let index = 0; index < text.length; index++) {
    if (load<u8>(start + index) !== <u8>text.charCodeAt(index)) return false
  }
  return true
}

/** Nanoseconds, truncated to microseconds: exact as far as a double is. */
export function readMicros(member: i32): f64 {
  const entry = slotOfMember(member)
  if (entry === 0) return 0
  if (!readInteger(entry) || (Integer.isNegative && Integer.magnitude !== 0))
    rejectEntry('must be an integer from 0 to 18446744073709551615', entry)
  return <f64>(Integer.magnitude / 1000)
}

export function readText(index: i32, member: i32): void {
  const entry = stringOf(member)
  if (entry === 0) setText(index, 0, 0)
  else setText(index, textStart(entry), textEnd(entry))
}

/** Where the bytes of an id are; 0 for one that is not valid, which OpenTelemetry treats as absent. */
export function readId(member: i32, bytes: usize, to: usize): usize {
  const entry = stringOf(member)
  if (entry === 0) return 0
  const start = textStart(entry)
  const length = textEnd(entry) - start
  // As protobuf's own libraries print an id; hex is never padded.
  if (length === ((bytes + 2) / 3) * 4 && readBase64(start, start + length, decoded) === <i32>bytes) {
    memory.copy(to, decoded, bytes)
    return (load<u64>(to) | load<u64>(to + bytes - 8)) !== 0 ? to : 0
  }
  for (let digit: usize = 0; digit < length; digit++) {
    if (isHexDigit(load<u8>(start + digit))) continue
    rejectEntry(
      bytes === TRACE_ID_BYTES ? 'must be 32 hexadecimal digits' : 'must be 16 hexadecimal digits',
      entry,
    )
  }
  if (length !== bytes * 2) return 0
  let any: u32 = 0
  for (let byte: usize = 0; byte < bytes; byte++) {
    const value = (hexValue(load<u8>(start + byte * 2)) << 4) | hexValue(load<u8>(start + byte * 2 + 1))
    store<u8>(to + byte, <u8>value)
    any |= value
  }
  return any === 0 ? 0 : to
}

function isHexDigit(byte: u8): bool {
  return <u8>(byte - 0x30) < 10 || <u8>((byte | 0x20) - 0x61) < 6
}
