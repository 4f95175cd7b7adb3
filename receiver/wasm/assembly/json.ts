import { grow, rejectTooLarge, writeDouble } from './host'
import { Limits, VALUE_BYTES } from './limits'

const QUOTE: u8 = 0x22
const COMMA: u8 = 0x2c
const COLON: u8 = 0x3a
const OPEN_ARRAY: u8 = 0x5b
const BACKSLASH: u8 = 0x5c
const OPEN_OBJECT: u8 = 0x7b

/** Text is copied in blocks of this many bytes, the last of which may write beyond it. */
const BLOCK_BYTES: usize = 16
/** Room beside a text for its quotes, the comma before it, the colon after it and the rest of its last block. */
const MARGIN_BYTES: usize = 32
/** The most that one byte of text takes: `\u001f`. */
const ESCAPE_BYTES: usize = 6
/** Of characters that are not plain, as many bytes are made room for at once. */
const RUN_BYTES: usize = 64
const REPLACEMENT_CHARACTER: u32 = 0xbdbfef
/** Every integer below is a double and has as a double the same text. */
const MAX_SAFE_INTEGER: f64 = 9007199254740991

/** JSON is written here, and what lies behind it is free. */
export class Json {
  static position: usize = 0
  /** What needs no call: the end of the memory as far as it was seen, or of what may be written. */
  static limit: u64 = 0
  /** Where the JSON of an event, a resource or a scope has to end. */
  static end: u64 = 0
}

/** An event, a resource or a scope follows: all of its JSON together has a limit, from where it begins. */
export function beginPart(): void {
  Json.end = 0
}

/** Goes on to write at a position, as the host says: it writes, too. */
export function writeAt(position: usize): void {
  Json.position = position
  if (Json.end > 0) return
  Json.end = <u64>position + Limits.maxEventBytes
  setLimit()
}

/** The host has moved what it goes on with towards the start. */
export function moveJson(bytes: usize): void {
  if (Json.end === 0) return
  Json.end -= bytes
  setLimit()
}

function setLimit(): void {
  Json.limit = min((<u64>memory.size()) << 16, Json.end)
}

/** Has room for so many bytes; beyond the end the host rejects what is being written. */
export function reserve(bytes: usize): void {
  const end = <u64>Json.position + bytes
  if (end > Json.limit) makeRoom(end)
}

function makeRoom(end: u64): void {
  if (end > Json.end) {
    rejectTooLarge()
    unreachable()
  }
  grow(<f64>end)
  setLimit()
}

/** Counts a value. */
export function countValue(): void {
  Json.end -= VALUE_BYTES
  if (Json.limit > Json.end) Json.limit = Json.end
}

export function writeByte(byte: u8): void {
  reserve(1)
  store<u8>(Json.position++, byte)
}

/** A few ASCII characters. */
export function writeLiteral(text: string): void {
  reserve(text.length)
  for (let index = 0; index < text.length; index++) {
    store<u8>(Json.position++, <u8>load<u16>(changetype<usize>(text) + ((<usize>index) << 1)))
  }
}

/** A comma, except before the first element of an array or member of an object. */
export function separate(): void {
  const last = load<u8>(Json.position - 1)
  if (last !== OPEN_ARRAY && last !== OPEN_OBJECT) writeByte(COMMA)
}

/** A string from UTF-8; what cannot be stored (docs/guide/values.md) becomes U+FFFD. */
export function writeString(start: usize, end: usize): void {
  reserve(end - start + MARGIN_BYTES)
  store<u8>(Json.position++, QUOTE)
  writeText(start, end)
  store<u8>(Json.position++, QUOTE)
}

/** The key of a member of the object that is open, from UTF-8. */
export function writeKey(start: usize, end: usize): void {
  reserve(end - start + MARGIN_BYTES)
  if (load<u8>(Json.position - 1) !== OPEN_OBJECT) store<u8>(Json.position++, COMMA)
  store<u8>(Json.position++, QUOTE)
  writeText(start, end)
  store<u16>(Json.position, ((<u16>COLON) << 8) | QUOTE)
  Json.position += 2
}

/** Text without its quotes; room for it, if nothing in it needs an escape, is reserved. */
function writeText(start: usize, end: usize): void {
  let from = start
  let to = Json.position
  while (from < end) {
    const block = v128.load(from)
    v128.store(to, block)
    // As signed bytes those above 0x7f are below 0x20, too.
    const special = v128.or(
      i8x16.lt_s(block, i8x16.splat(0x20)),
      v128.or(i8x16.eq(block, i8x16.splat(QUOTE)), i8x16.eq(block, i8x16.splat(BACKSLASH))),
    )
    const left = end - from
    // A bit beyond the block, or beyond the text in its last block, so that there always is a first.
    const first = <usize>ctz(i8x16.bitmask(special) | (left < BLOCK_BYTES ? 1 << (<i32>left) : 1 << 16))
    from += first
    to += first
    if (first < BLOCK_BYTES && from < end) {
      Json.position = to
      from = writeSpecial(from, end)
      to = Json.position
    }
  }
  Json.position = to
}

/** Writes the characters that are not plain, from the first one on, and returns where the others begin. */
function writeSpecial(start: usize, end: usize): usize {
  let from = start
  let runEnd = start
  while (from < end) {
    const byte = load<u8>(from)
    if (byte >= 0x20 && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH) break
    if (from >= runEnd) {
      // An escape takes more than the byte that was reserved for its character.
      runEnd = min(from + RUN_BYTES, end)
      reserve((runEnd - from) * ESCAPE_BYTES + (end - runEnd) + MARGIN_BYTES)
    }
    if (byte < 0x80) {
      writeEscape(byte)
      from++
    } else from += writeSequence(from, end)
  }
  return from
}

export function writeEscape(byte: u8): void {
  if (byte === 0) {
    writeReplacement()
    return
  }
  const letter = escapeLetter(byte)
  store<u8>(Json.position, BACKSLASH)
  store<u8>(Json.position + 1, letter)
  Json.position += 2
  if (letter !== 0x75) return
  store<u32>(Json.position, 0x3030_3030 + ((<u32>(byte >> 4)) << 16) + (hexDigit(byte & 0xf) << 24))
  Json.position += 4
}

function hexDigit(nibble: u8): u32 {
  return nibble < 10 ? nibble : nibble + 0x27
}

/** What follows the backslash; `u` for characters that have no letter of their own. */
function escapeLetter(byte: u8): u8 {
  switch (byte) {
    case 0x08:
      return 0x62
    case 0x09:
      return 0x74
    case 0x0a:
      return 0x6e
    case 0x0c:
      return 0x66
    case 0x0d:
      return 0x72
    case QUOTE:
    case BACKSLASH:
      return byte
    default:
      return 0x75
  }
}

function writeReplacement(): void {
  store<u32>(Json.position, REPLACEMENT_CHARACTER)
  Json.position += 3
}

/** Writes the character that begins with a byte above 0x7f and returns how many bytes it takes in the text. */
export function writeSequence(start: usize, end: usize): usize {
  const length = sequenceLength(start, end)
  if (length < 0) {
    writeReplacement()
    return <usize>-length
  }
  store<u32>(Json.position, load<u32>(start))
  Json.position += length
  return length
}

/**
 * The length of the UTF-8 sequence whose first byte is not ASCII; when it is ill-formed, minus the number of bytes
 * that one U+FFFD stands for (the maximal subpart, as in the WHATWG Encoding Standard).
 */
export function sequenceLength(start: usize, end: usize): i32 {
  const lead: u32 = load<u8>(start)
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
  if (length === 0) return -1
  // The second byte excludes overlong forms, surrogates and what lies beyond U+10FFFF.
  let lowest: u32 = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  let highest: u32 = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  for (let read = 1; read < length; read++) {
    const byte: u32 = start + read < end ? load<u8>(start + read) : 0
    if (byte < lowest || byte > highest) return -read
    lowest = 0x80
    highest = 0xbf
  }
  return length
}

export function writeInteger(value: i64): void {
  reserve(MARGIN_BYTES)
  let rest: u64 = value < 0 ? 0 - <u64>value : <u64>value
  if (value < 0) store<u8>(Json.position++, 0x2d)
  let digits = 1
  for (let bound = rest; bound >= 10; bound /= 10) digits++
  const end = Json.position + digits
  let position = end
  do {
    store<u8>(--position, 0x30 + <u8>(rest % 10))
    rest /= 10
  } while (rest !== 0)
  Json.position = end
}

/** A double, which is a string where JSON has no number for it. The text of -0 is 0. */
export function writeNumber(value: f64): void {
  if (Number.isNaN(value)) writeLiteral('"NaN"')
  else if (!Number.isFinite(value)) writeLiteral(value < 0 ? '"-Infinity"' : '"Infinity"')
  else if (abs(value) <= MAX_SAFE_INTEGER && trunc(value) === value) writeInteger(<i64>value)
  else {
    reserve(MARGIN_BYTES)
    Json.position = writeDouble(value, Json.position)
  }
}

const BASE64 = memory.data<u8>([
  65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 97,
  98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119,
  120, 121, 122, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 43, 47,
])
const PADDING: u8 = 0x3d

export function writeBase64(start: usize, end: usize): void {
  const groups = (end - start) / 3 + 1
  reserve(groups * 4 + MARGIN_BYTES)
  store<u8>(Json.position++, QUOTE)
  for (let from = start; from < end; from += 3) {
    const left = end - from
    const bits =
      ((<u32>load<u8>(from)) << 16) |
      (left > 1 ? (<u32>load<u8>(from + 1)) << 8 : 0) |
      (left > 2 ? <u32>load<u8>(from + 2) : 0)
    store<u8>(Json.position, load<u8>(BASE64 + (bits >> 18)))
    store<u8>(Json.position + 1, load<u8>(BASE64 + ((bits >> 12) & 63)))
    store<u8>(Json.position + 2, left > 1 ? load<u8>(BASE64 + ((bits >> 6) & 63)) : PADDING)
    store<u8>(Json.position + 3, left > 2 ? load<u8>(BASE64 + (bits & 63)) : PADDING)
    Json.position += 4
  }
  store<u8>(Json.position++, QUOTE)
}
