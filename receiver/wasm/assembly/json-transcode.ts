import { Nesting } from './any-value'
import { writeTooDeep } from './host'
import { countValue, Json, reserve, writeByte, writeEscape, writeSequence, writeString } from './json'
import { writeUnusualNumber } from './json-number'
import { commonLength } from './json-scan'
import {
  ARRAY,
  CLOSE,
  ENTRY_BYTES,
  Escape,
  endOf,
  KEY,
  kindOf,
  NOT_FINITE,
  NUMBER,
  nextOf,
  OBJECT,
  REWRITE,
  readEscape,
  STRING,
  startOf,
  stateOf,
  storeCodePoint,
  TEXT,
} from './json-tape'

const QUOTE: u8 = 0x22
const COMMA: u8 = 0x2c
const COLON: u8 = 0x3a
const OPEN_ARRAY: u8 = 0x5b
const BACKSLASH: u8 = 0x5c
const OPEN_OBJECT: u8 = 0x7b
const SLASH: u8 = 0x2f
const LETTER_U: u8 = 0x75

/** A text that is written otherwise than it was sent is written in pieces of so many bytes. */
const PIECE_BYTES: usize = 4096
/** The most that a byte takes where it is no UTF-8 and becomes U+FFFD. */
const MAX_BYTES_PER_BYTE: usize = 3
const MARGIN_BYTES: usize = 64

/**
 * Writes a value as it is stored, entry by entry, at the position of the JSON.
 * @param outerDepth in so many objects and arrays of its payload it lies
 */
export function writeTree(first: usize, outerDepth: u32): void {
  const stop = nextOf(first)
  let depth = outerDepth
  let entry = first
  while (entry < stop) {
    const kind = kindOf(entry)
    if (kind === CLOSE) {
      depth--
      writeByte(load<u8>(startOf(entry)))
      entry += ENTRY_BYTES
      continue
    }
    if (entry !== first) separateEntry()
    if (kind === STRING) {
      writeStringEntry(entry)
      if ((load<u32>(entry, 4) & KEY) !== 0) writeByte(COLON)
      entry += ENTRY_BYTES
    } else if (kind === OBJECT || kind === ARRAY) {
      countValue()
      if (depth < Nesting.maxDepth && stateOf(entry) === REWRITE) {
        depth++
        writeByte(load<u8>(startOf(entry)))
        entry += ENTRY_BYTES
      } else entry = writeWhole(entry, depth)
    } else {
      countValue()
      writeScalar(entry, kind)
      entry += ENTRY_BYTES
    }
  }
}

/** A comma, except behind an opening bracket or a key. */
function separateEntry(): void {
  const last = load<u8>(Json.position - 1)
  if (last !== OPEN_ARRAY && last !== OPEN_OBJECT && last !== COLON) writeByte(COMMA)
}

/** Writes all of an object or array that is sent as it is stored, or lies too deep; returns the entry behind it. */
function writeWhole(entry: usize, depth: u32): usize {
  const next = nextOf(entry)
  if (depth < Nesting.maxDepth) copy(startOf(entry), startOf(next - ENTRY_BYTES) + 1)
  else {
    reserve(MARGIN_BYTES)
    Json.position = writeTooDeep(Json.position)
  }
  return next
}

export function writeScalar(entry: usize, kind: u32): void {
  if (kind === NOT_FINITE) {
    writeByte(QUOTE)
    copy(startOf(entry), endOf(entry))
    writeByte(QUOTE)
  } else if (kind === NUMBER && stateOf(entry) === REWRITE) writeUnusualNumber(startOf(entry), endOf(entry))
  else copy(startOf(entry), endOf(entry))
}

export function copy(start: usize, end: usize): void {
  const bytes = end - start
  reserve(bytes + 16)
  if (bytes > 64) memory.copy(Json.position, start, bytes)
  else {
    // The instruction that copies memory is a call out of WebAssembly.
    for (let offset: usize = 0; offset < bytes; offset += 16) {
      v128.store(Json.position + offset, v128.load(start + offset))
    }
  }
  Json.position += bytes
}

/** Writes a string with its quotes. */
export function writeStringEntry(entry: usize): void {
  const state = stateOf(entry)
  if (state === TEXT) writeString(startOf(entry) + 1, endOf(entry) - 1)
  else if (state !== REWRITE) copy(startOf(entry), endOf(entry))
  else {
    const end = endOf(entry) - 1
    writeByte(QUOTE)
    let from = startOf(entry) + 1
    while (from < end) from = rewrite(from, min(end, from + PIECE_BYTES), end)
    writeByte(QUOTE)
  }
}

/** Writes the text of a string up to `limit` or a few bytes beyond, and returns where the rest begins. */
function rewrite(start: usize, limit: usize, end: usize): usize {
  reserve((limit - start) * MAX_BYTES_PER_BYTE + MARGIN_BYTES)
  let from = start
  let to = Json.position
  while (from < limit) {
    const block = v128.load(from)
    v128.store(to, block)
    const special = v128.or(i8x16.lt_s(block, i8x16.splat(0)), i8x16.eq(block, i8x16.splat(BACKSLASH)))
    const plain = min(<usize>ctz(i8x16.bitmask(special) | (1 << 16)), end - from)
    from += plain
    to += plain
    if (plain === 16) continue
    Json.position = to
    while (from < limit) {
      const byte = load<u8>(from)
      if (byte === BACKSLASH) {
        const letter = load<u8>(from + 1)
        if (letter === LETTER_U || letter === SLASH) from = writeUnescaped(from, end)
        else {
          // The others are stored as they are sent.
          store<u16>(Json.position, load<u16>(from))
          Json.position += 2
          from += 2
        }
      } else if (byte < 0x80) break
      else {
        const common = commonLength(from)
        if (common === 0) from += writeSequence(from, end)
        else {
          store<u32>(Json.position, load<u32>(from))
          Json.position += common
          from += common
        }
      }
    }
    to = Json.position
  }
  Json.position = to
  return from
}

/** Writes the character that is escaped at a position and returns where the next one begins. */
function writeUnescaped(start: usize, end: usize): usize {
  readEscape(start, end)
  const codePoint = Escape.codePoint
  if (codePoint < 0x20 || codePoint === QUOTE || codePoint === BACKSLASH) writeEscape(<u8>codePoint)
  else Json.position = storeCodePoint(codePoint, Json.position)
  return Escape.end
}
