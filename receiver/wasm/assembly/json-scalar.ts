import { fail, Scan } from './json-scan-state'
import { INFINITY, LITERAL, NOT_FINITE, NUMBER, PLAIN, REWRITE, SHIFT, Tape } from './json-tape'

const MINUS_BYTE: u8 = 0x2d
const POINT_BYTE: u8 = 0x2e
const ZERO_BYTE: u8 = 0x30

/** Of integers, and of numbers with a point or exponent of at most two digits: surely within a double's range. */
const MAX_PLAIN_INTEGER_DIGITS: usize = 300
const MAX_PLAIN_NUMBER_BYTES: usize = 32

/** Reads a number or literal into an entry, and returns where it ends. */
export function scanScalar(start: usize, byte: u8, entry: usize): usize {
  let kind = NUMBER
  let end: usize
  Scan.numberFlags = PLAIN
  if (byte === MINUS_BYTE || <u8>(byte - ZERO_BYTE) < 10) {
    end = scanNumber(start)
    if (Scan.numberFlags === NOT_FINITE) kind = NOT_FINITE
  } else {
    end = scanLiteral(start, byte)
    kind = byte === 0x4e || byte === 0x49 ? NOT_FINITE : LITERAL
  }
  const isPlain = kind !== NOT_FINITE && Scan.numberFlags === PLAIN
  if (!isPlain) Scan.unusual = start
  store<u32>(entry, ((<u32>(start - Tape.text)) << SHIFT) | kind)
  store<u32>(entry, ((<u32>(end - Tape.text)) << SHIFT) | (isPlain ? PLAIN : REWRITE), 4)
  return end
}

function scanLiteral(position: usize, byte: u8): usize {
  const word = load<u32>(position)
  if (word === 0x65757274 || word === 0x6c6c756e) return position + 4
  if (byte === 0x66 && load<u32>(position + 1) === 0x65736c61) return position + 5
  if ((word & 0xffffff) === 0x4e614e) return position + 3
  if (load<u64>(position) === INFINITY) return position + 8
  fail('expected a value', position)
  return 0
}

/** Returns the end of a number; what is to be written otherwise stands in the flags. */
function scanNumber(start: usize): usize {
  let at = start
  const isNegative = load<u8>(at) === MINUS_BYTE
  if (isNegative) at++
  const integer = at
  const digit: u8 = load<u8>(at) - ZERO_BYTE
  if (digit > 9) {
    if (isNegative && load<u64>(at) === INFINITY) {
      Scan.numberFlags = NOT_FINITE
      return at + 8
    }
    fail('expected a digit', at)
  }
  let significant = digit
  at++
  if (digit !== 0) at = skipDigits(at)
  else if (<u8>(load<u8>(at) - ZERO_BYTE) < 10) fail('expected no digit behind a leading 0', at)
  const next = load<u8>(at)
  if (next !== POINT_BYTE && (next | 0x20) !== 0x65) {
    const isPlain = at - integer <= MAX_PLAIN_INTEGER_DIGITS && (!isNegative || significant !== 0)
    Scan.numberFlags = isPlain ? PLAIN : REWRITE
    return at
  }
  if (next === POINT_BYTE) {
    const fraction = ++at
    at = skipDigits(at)
    if (at === fraction) fail('expected a digit', at)
    if (isNegative && significant === 0 && at - fraction <= MAX_PLAIN_NUMBER_BYTES) {
      for (let place = fraction; place < at; place++) significant |= load<u8>(place) - ZERO_BYTE
    }
  }
  let exponentDigits: usize = 0
  if ((load<u8>(at) | 0x20) === 0x65) {
    at++
    const sign = load<u8>(at)
    if (sign === MINUS_BYTE || sign === 0x2b) at++
    const exponent = at
    at = skipDigits(at)
    if (at === exponent) fail('expected a digit', at)
    exponentDigits = at - exponent
  }
  const isPlain =
    at - start <= MAX_PLAIN_NUMBER_BYTES && exponentDigits <= 2 && (!isNegative || significant !== 0)
  Scan.numberFlags = isPlain ? PLAIN : REWRITE
  return at
}

/** Where the digits end that begin here. */
export function skipDigits(start: usize): usize {
  let at = start
  while (<u8>(load<u8>(at) - ZERO_BYTE) < 10) {
    at++
    if (at - start === 24) return skipManyDigits(at)
  }
  return at
}

function skipManyDigits(start: usize): usize {
  let at = start
  while (true) {
    const digits = i8x16.sub(v128.load(at), i8x16.splat(ZERO_BYTE))
    const mask = i8x16.bitmask(i8x16.gt_u(digits, i8x16.splat(9)))
    if (mask !== 0) return at + <usize>ctz(mask)
    at += 16
  }
}
