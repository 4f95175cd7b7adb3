import { readNumber } from './host'
import { skipDigits } from './json-scalar'
import { endOf, kindOf, NUMBER, STRING, startOf, textEnd, textStart } from './json-tape'

const MINUS: u8 = 0x2d
const ZERO: u8 = 0x30
/** 2^64. */
const UINT64_BOUND: f64 = 4294967296.0 * 4294967296.0
/** As many digits fit into 64 bits, whatever they are. */
const SAFE_DIGITS: usize = 19

/** The integer that was read last. */
export class Integer {
  static isNegative: bool = false
  static magnitude: u64 = 0
}

/**
 * Reads an integer, which JSON has as a number or as a string of its digits.
 * @returns false for anything else, and for a magnitude beyond 64 bits
 */
export function readInteger(entry: usize): bool {
  const kind = kindOf(entry)
  if (kind === STRING) return readDigits(textStart(entry), textEnd(entry))
  if (kind !== NUMBER) return false
  return readDigits(startOf(entry), endOf(entry)) || readFraction(startOf(entry), endOf(entry))
}

function readDigits(start: usize, end: usize): bool {
  Integer.isNegative = start < end && load<u8>(start) === MINUS
  const first = Integer.isNegative ? start + 1 : start
  if (first >= end) return false
  if (end - first > SAFE_DIGITS) return readManyDigits(first, end)
  let magnitude: u64 = 0
  for (let at = first; at < end; at++) {
    const digit: u64 = <u8>(load<u8>(at) - ZERO)
    if (digit > 9) return false
    magnitude = magnitude * 10 + digit
  }
  Integer.magnitude = magnitude
  return true
}

/** The same of as many digits as may be too many. */
function readManyDigits(start: usize, end: usize): bool {
  if (skipDigits(start) !== end) return false
  let at = start
  while (at < end - 1 && load<u8>(at) === ZERO) at++
  if (end - at > SAFE_DIGITS + 1) return false
  let magnitude: u64 = 0
  for (; at < end; at++) {
    const digit: u64 = load<u8>(at) - ZERO
    if (magnitude > u64.MAX_VALUE / 10 || magnitude * 10 > u64.MAX_VALUE - digit) return false
    magnitude = magnitude * 10 + digit
  }
  Integer.magnitude = magnitude
  return true
}

/** One that is spelled with a point or an exponent, as in `1e3`. */
function readFraction(start: usize, end: usize): bool {
  if (skipDigits(load<u8>(start) === MINUS ? start + 1 : start) === end) return false
  const value = readNumber(start, end)
  if (trunc(value) !== value || abs(value) >= UINT64_BOUND) return false
  Integer.isNegative = value < 0
  Integer.magnitude = <u64>abs(value)
  return true
}

/** Whether a JSON number is an integer as a double. */
export function isWhole(entry: usize): bool {
  const value = readNumber(startOf(entry), endOf(entry))
  return trunc(value) === value && abs(value) <= f64.MAX_VALUE
}

/** Whether it fits into an int64. */
export function isInt64(): bool {
  return Integer.magnitude < <u64>i64.MAX_VALUE + (Integer.isNegative ? 2 : 1)
}

export function int64(): i64 {
  return Integer.isNegative ? <i64>(0 - Integer.magnitude) : <i64>Integer.magnitude
}
