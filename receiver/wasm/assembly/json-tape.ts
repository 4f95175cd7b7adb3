import { Limits } from './limits'

/**
 * What was read of a JSON text: an entry for each string, number, literal and bracket, in their order, so that
 * nothing is looked at twice and whatever nobody asks for is passed over in one step. An entry has two words:
 * where it starts in the text and its kind; where it ends and its flags. Instead of its end, a bracket that opens
 * has the entry behind the bracket that closes it, a bracket that closes has the one that opens it.
 */
export class Tape {
  static start: usize = 0
  static end: usize = 0
  /** Where the text starts. */
  static text: usize = 0
}

export const ENTRY_BYTES: usize = 8

// Kinds, in the lowest bits of the first word.
export const STRING: u32 = 0
export const NUMBER: u32 = 1
/** `true`, `false` or `null`. */
export const LITERAL: u32 = 2
/** `NaN`, `Infinity` or `-Infinity`. */
export const NOT_FINITE: u32 = 3
export const ARRAY: u32 = 4
export const OBJECT: u32 = 5
export const CLOSE: u32 = 6

// Flags, in the lowest bits of the second word. The first two are the state of a string.
/** As it is sent it is what is stored, and the text has no escapes. */
export const PLAIN: u32 = 0
/** The same, with escapes. */
export const ESCAPED: u32 = 1
/** Not spelled as it is stored; of a number or bracket too, for which it is a bit. */
export const REWRITE: u32 = 2
/** Of a string whose bytes are its text in UTF-8 by now. */
export const TEXT: u32 = 3
export const STATES: u32 = 3
/** A key of an object. */
export const KEY: u32 = 4

export const KINDS: u32 = 7
/** Positions have so many bits less than a word. */
export const SHIFT: u32 = 3

/** `Infinity` */
export const INFINITY: u64 = ((<u64>0x7974696e) << 32) | 0x69666e49

const BACKSLASH: u8 = 0x5c

export function kindOf(entry: usize): u32 {
  return load<u32>(entry) & KINDS
}

export function startOf(entry: usize): usize {
  return Tape.text + (load<u32>(entry) >>> SHIFT)
}

/** The end of a string, number or literal. */
export function endOf(entry: usize): usize {
  return Tape.text + (load<u32>(entry, 4) >>> SHIFT)
}

export function stateOf(entry: usize): u32 {
  return load<u32>(entry, 4) & STATES
}

/** The entry that an opening bracket names: that behind its closing one. */
export function behind(entry: usize): usize {
  return Tape.start + (load<u32>(entry, 4) & ~KINDS)
}

/** The entry behind a value. */
export function nextOf(entry: usize): usize {
  return (load<u32>(entry) & 4) !== 0 ? behind(entry) : entry + ENTRY_BYTES
}

/** What an entry counts of the size of an event beside its bytes. */
const ENTRY_SIZE: u64 = 8

/** Whether an object is larger than an event may be. */
export function isTooLarge(entry: usize): bool {
  const next = nextOf(entry)
  const bytes = startOf(next - ENTRY_BYTES) - startOf(entry)
  return <u64>bytes + (((next - entry) >> 3) as u64) * ENTRY_SIZE > Limits.maxEventBytes
}

export function isNull(entry: usize): bool {
  return kindOf(entry) === LITERAL && load<u8>(startOf(entry)) === 0x6e
}

/** Where the text of a string starts in UTF-8, without the quotes; escapes are resolved in their place. */
export function textStart(entry: usize): usize {
  const state = stateOf(entry)
  if (state === ESCAPED || state === REWRITE) resolve(entry)
  return startOf(entry) + 1
}

export function textEnd(entry: usize): usize {
  return endOf(entry) - 1
}

function resolve(entry: usize): void {
  const start = startOf(entry) + 1
  const end = resolveTo(start, endOf(entry) - 1, start)
  const flags = (load<u32>(entry, 4) & KEY) | TEXT
  store<u32>(entry, ((<u32>(end + 1 - Tape.text)) << SHIFT) | flags, 4)
}

/** Writes the text of what lies between the quotes, which is never longer, and returns the end of that. */
export function resolveTo(start: usize, end: usize, at: usize): usize {
  let from = start
  let to = at
  while (from < end) {
    const byte = load<u8>(from)
    if (byte !== BACKSLASH) {
      store<u8>(to++, byte)
      from++
      continue
    }
    readEscape(from, end)
    to = storeCodePoint(Escape.codePoint, to)
    from = Escape.end
  }
  return to
}

/** The escape that was read last. */
export class Escape {
  /** A lone surrogate is U+FFFD. */
  static codePoint: u32 = 0
  static end: usize = 0
}

const REPLACEMENT: u32 = 0xfffd

/** Reads the escape at a backslash, in a string that is valid and ends at `end`. */
export function readEscape(start: usize, end: usize): void {
  const letter = load<u8>(start + 1)
  Escape.end = start + 2
  switch (letter) {
    case 0x62:
      Escape.codePoint = 0x08
      return
    case 0x66:
      Escape.codePoint = 0x0c
      return
    case 0x6e:
      Escape.codePoint = 0x0a
      return
    case 0x72:
      Escape.codePoint = 0x0d
      return
    case 0x74:
      Escape.codePoint = 0x09
      return
    case 0x75:
      break
    default:
      Escape.codePoint = letter
      return
  }
  const unit = hexUnit(start + 2)
  Escape.codePoint = unit
  Escape.end = start + 6
  if ((unit & 0xf800) !== 0xd800) return
  Escape.codePoint = REPLACEMENT
  if (unit >= 0xdc00 || start + 12 > end || load<u16>(start + 6) !== 0x755c) return
  const second = hexUnit(start + 8)
  if ((second & 0xfc00) !== 0xdc00) return
  Escape.codePoint = 0x10000 + ((unit & 0x3ff) << 10) + (second & 0x3ff)
  Escape.end = start + 12
}

function hexUnit(at: usize): u32 {
  return (
    (hexValue(load<u8>(at)) << 12) |
    (hexValue(load<u8>(at + 1)) << 8) |
    (hexValue(load<u8>(at + 2)) << 4) |
    hexValue(load<u8>(at + 3))
  )
}

/** The value of a hexadecimal digit. */
export function hexValue(digit: u8): u32 {
  return (digit & 0xf) + (digit >> 6) * 9
}

export function storeCodePoint(codePoint: u32, at: usize): usize {
  if (codePoint < 0x80) {
    store<u8>(at, <u8>codePoint)
    return at + 1
  }
  if (codePoint < 0x800) {
    store<u8>(at, <u8>(0xc0 | (codePoint >> 6)))
    store<u8>(at + 1, <u8>(0x80 | (codePoint & 0x3f)))
    return at + 2
  }
  if (codePoint < 0x10000) {
    store<u8>(at, <u8>(0xe0 | (codePoint >> 12)))
    store<u8>(at + 1, <u8>(0x80 | ((codePoint >> 6) & 0x3f)))
    store<u8>(at + 2, <u8>(0x80 | (codePoint & 0x3f)))
    return at + 3
  }
  store<u8>(at, <u8>(0xf0 | (codePoint >> 18)))
  store<u8>(at + 1, <u8>(0x80 | ((codePoint >> 12) & 0x3f)))
  store<u8>(at + 2, <u8>(0x80 | ((codePoint >> 6) & 0x3f)))
  store<u8>(at + 3, <u8>(0x80 | (codePoint & 0x3f)))
  return at + 4
}
