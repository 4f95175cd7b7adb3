import { Json, reserve, writeByte, writeInteger, writeLiteral } from './json'
import { skipDigits } from './json-scalar'

const MINUS: u8 = 0x2d
const POINT: u8 = 0x2e
const ZERO: u8 = 0x30

/** Digits that no double can tell from others; PostgreSQL's numeric takes 16,383 behind the point. */
const MAX_SIGNIFICANT_DIGITS: usize = 800
/** The powers of ten between which a double can be anything but 0 and infinite. */
const LEAST_EXPONENT: i64 = -324
const MOST_EXPONENT: i64 = 308
/** Beyond every exponent that can matter, whatever is before it. */
const EXPONENT_BOUND: i64 = 1 << 40

/** The least number that is infinite as a double (2^1024 - 2^970). */
const LEAST_INFINITE =
  '179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792'

/** Where the significant digits of a number are. */
class Digits {
  /** The first that is not 0. */
  static first: usize = 0
  static end: usize = 0
  /** The exponent of the first. */
  static exponent: i64 = 0
  /** Whether it is an integer without point or exponent. */
  static isInteger: bool = false
}

/**
 * Writes a number whose spelling is not the stored one: an integer with every digit; any other so that a double of
 * it is the same; what is beyond a double's range as text.
 */
export function writeUnusualNumber(start: usize, end: usize): void {
  const isNegative = load<u8>(start) === MINUS
  writeDigitsOf(isNegative ? start + 1 : start, end, isNegative)
}

/** The same of a number without its sign. */
export function writeDigitsOf(start: usize, end: usize, isNegative: bool): void {
  if (!readDigits(start, end) || Digits.exponent < LEAST_EXPONENT) {
    writeByte(ZERO)
    return
  }
  if (Digits.exponent > MOST_EXPONENT || (Digits.exponent === MOST_EXPONENT && isInfinite())) {
    writeLiteral(isNegative ? '"-Infinity"' : '"Infinity"')
    return
  }
  if (Digits.isInteger) {
    reserve(end - start + 1)
    if (isNegative) store<u8>(Json.position++, MINUS)
    memory.copy(Json.position, start, end - start)
    Json.position += end - start
    return
  }
  writeDigits(isNegative)
}

/** False for zero. */
function readDigits(start: usize, end: usize): bool {
  const point = skipDigits(start)
  let mantissaEnd = point
  if (point < end && load<u8>(point) === POINT) mantissaEnd = skipDigits(point + 1)
  let first = start
  if (load<u8>(start) === ZERO) {
    first = mantissaEnd > point ? skipZeros(point + 1) : mantissaEnd
    if (first >= mantissaEnd) return false
  }
  Digits.first = first
  Digits.end = mantissaEnd
  Digits.isInteger = mantissaEnd === point && mantissaEnd === end
  Digits.exponent =
    (first < point ? <i64>point - <i64>first - 1 : <i64>point - <i64>first) + readExponent(mantissaEnd, end)
  return true
}

export function skipZeros(start: usize): usize {
  let at = start
  while (true) {
    const mask = i8x16.bitmask(i8x16.ne(v128.load(at), i8x16.splat(ZERO)))
    if (mask !== 0) return at + <usize>ctz(mask)
    at += 16
  }
}

/** The exponent between two positions, `e` included; 0 when there is none. */
function readExponent(start: usize, end: usize): i64 {
  if (start === end) return 0
  const isNegative = load<u8>(start + 1) === MINUS
  let at = isNegative || load<u8>(start + 1) === 0x2b ? start + 2 : start + 1
  at = skipZeros(at)
  let exponent: i64 = 0
  for (; at < end && exponent < EXPONENT_BOUND; at++) exponent = exponent * 10 + (load<u8>(at) - ZERO)
  return isNegative ? -exponent : exponent
}

/** Whether digits of which the first has the most exponent are beyond a double's range. */
function isInfinite(): bool {
  let at = Digits.first
  for (let place = 0; place < LEAST_INFINITE.length; place++) {
    if (at < Digits.end && load<u8>(at) === POINT) at++
    const digit: u8 = at < Digits.end ? load<u8>(at++) : ZERO
    const bound = <u8>load<u16>(changetype<usize>(LEAST_INFINITE) + ((<usize>place) << 1))
    if (digit !== bound) return digit > bound
  }
  return true
}

/** Writes `d.ddde-n`. A digit stands for those that are left out, so that it stays on the same side of each double. */
function writeDigits(isNegative: bool): void {
  const end = Digits.end
  reserve(MAX_SIGNIFICANT_DIGITS + 32)
  if (isNegative) store<u8>(Json.position++, MINUS)
  store<u8>(Json.position++, load<u8>(Digits.first))
  let at = Digits.first + 1
  let written: usize = 1
  for (; at < end && written < MAX_SIGNIFICANT_DIGITS; at++) {
    const digit = load<u8>(at)
    if (digit === POINT) continue
    if (written++ === 1) store<u8>(Json.position++, POINT)
    store<u8>(Json.position++, digit)
  }
  if (hasMore(at, end)) store<u8>(Json.position++, 0x31)
  if (Digits.exponent === 0) return
  store<u8>(Json.position++, 0x65)
  writeInteger(Digits.exponent)
}

/** Whether a digit is left that is not 0. */
function hasMore(start: usize, end: usize): bool {
  let at = skipZeros(start)
  if (at < end && load<u8>(at) === POINT) at = skipZeros(at + 1)
  return at < end
}
