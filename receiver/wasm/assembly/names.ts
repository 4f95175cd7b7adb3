// A table of names, at most 64 of at most 32 bytes each: the first name of each length, the next one of the same
// length after each name, and the names.
const MAX_NAME_BYTES: usize = 32
const NEXT: usize = 64
const NAMES: usize = 128
const NONE: i32 = -1

export const KNOWN_ATTRIBUTES = memory.data(2176)
export const MIRRORED_KEYS = memory.data(2176)

export function clearNames(table: usize): void {
  memory.fill(table, <u8>NONE, NAMES)
}

/** Adds the name that lies between two positions. */
export function addName(table: usize, index: i32, start: usize, end: usize): void {
  const length = end - start
  assert(length <= MAX_NAME_BYTES && index < 64)
  memory.copy(table + NAMES + <usize>index * MAX_NAME_BYTES, start, length)
  store<i8>(table + NEXT + <usize>index, load<i8>(table + length))
  store<i8>(table + length, <i8>index)
}

/** The index of the name that lies between two positions, or -1. */
export function indexOfName(table: usize, start: usize, end: usize): i32 {
  const length = end - start
  if (length > MAX_NAME_BYTES) return NONE
  let index: i32 = load<i8>(table + length)
  while (index !== NONE && !isSame(start, table + NAMES + <usize>index * MAX_NAME_BYTES, length)) {
    index = load<i8>(table + NEXT + <usize>index)
  }
  return index
}

/** Whether the bytes are the same. The last block overlaps the one before it. */
export function isSame(a: usize, b: usize, length: usize): bool {
  if (length < 8) return isSameShort(a, b, length)
  const last = length - 8
  for (let offset: usize = 0; offset < last; offset += 8) {
    if (load<u64>(a + offset) !== load<u64>(b + offset)) return false
  }
  return load<u64>(a + last) === load<u64>(b + last)
}

function isSameShort(a: usize, b: usize, length: usize): bool {
  for (let offset: usize = 0; offset < length; offset++) {
    if (load<u8>(a + offset) !== load<u8>(b + offset)) return false
  }
  return true
}

/** Whether 36 bytes are a UUID in lower case. */
export function isLowerCaseUuid(start: usize): bool {
  return (
    hexDigits(start) === 0b1101_1110_1111_1111 &&
    hexDigits(start + 16) === 0b1111_1111_0111_1011 &&
    hexDigits(start + 20) === 0b1111_1111_1111_0111 &&
    load<u8>(start + 8) === HYPHEN &&
    load<u8>(start + 13) === HYPHEN &&
    load<u8>(start + 18) === HYPHEN &&
    load<u8>(start + 23) === HYPHEN
  )
}

const HYPHEN: u8 = 0x2d

/** A bit for each of 16 bytes that is a hexadecimal digit in lower case. */
function hexDigits(start: usize): i32 {
  const bytes = v128.load(start)
  const digit = v128.and(i8x16.ge_s(bytes, i8x16.splat(0x30)), i8x16.le_s(bytes, i8x16.splat(0x39)))
  const letter = v128.and(i8x16.ge_s(bytes, i8x16.splat(0x61)), i8x16.le_s(bytes, i8x16.splat(0x66)))
  return i8x16.bitmask(v128.or(digit, letter))
}
