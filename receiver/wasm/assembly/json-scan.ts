import { grow, rejectValues } from './host'
import { sequenceLength } from './json'
import { scanScalar } from './json-scalar'
import { fail, Scan } from './json-scan-state'
import {
  ARRAY,
  CLOSE,
  ENTRY_BYTES,
  ESCAPED,
  KEY,
  KINDS,
  OBJECT,
  PLAIN,
  REWRITE,
  SHIFT,
  Tape,
} from './json-tape'
import { Limits } from './limits'

// What the grammar allows next.
const VALUE: i32 = 0
const FIRST_ITEM: i32 = 1
const FIRST_KEY: i32 = 2
const NEXT_KEY: i32 = 3
const COLON: i32 = 4
const COMMA_OR_CLOSE: i32 = 5
const END: i32 = 6
/** More of a string that was begun. */
const IN_STRING: i32 = 7

const QUOTE_BYTE: u8 = 0x22
const COMMA_BYTE: u8 = 0x2c
const ZERO_BYTE: u8 = 0x30
const COLON_BYTE: u8 = 0x3a
const _OPEN_ARRAY_BYTE: u8 = 0x5b
const BACKSLASH_BYTE: u8 = 0x5c
const CLOSE_ARRAY_BYTE: u8 = 0x5d
const OPEN_OBJECT_BYTE: u8 = 0x7b
const CLOSE_OBJECT_BYTE: u8 = 0x7d

/** Beyond these levels of the whole text a bracket is looked at again. */
const MAX_PLAIN_DEPTH: u32 = 1024

/** Behind a text lie so many zeros: they end every loop, and blocks may be read beyond the end. */
export const PADDING_BYTES: usize = 32
const TAPE_ROOM_BYTES: usize = 128

/** Begins with a text, for whose padding there is room. The tape is put behind it. */
export function beginScan(start: usize, end: usize, maxValues: u32, maxEventBytes: u32): void {
  Limits.maxEventBytes = maxEventBytes
  for (let offset: usize = 0; offset < PADDING_BYTES; offset += 8) store<u64>(end + offset, 0)
  Tape.text = start
  Tape.start = (end + PADDING_BYTES + 15) & ~15
  // An offset of 0 means none: the first entry is never used.
  Tape.end = Tape.start + ENTRY_BYTES
  makeRoom()
  // A byte order mark is no part of the text.
  const hasMark = end - start >= 3 && (load<u32>(start) & 0xffffff) === 0xbfbbef
  Scan.position = hasMark ? start + 3 : start
  Scan.end = end
  Scan.state = VALUE
  Scan.open = 0
  Scan.depth = 0
  Scan.unusual = 0
  Scan.values = 0
  Scan.maxValues = maxValues
}

/** The entry of the whole text, once it was read. */
export function root(): usize {
  return Tape.start + ENTRY_BYTES
}

/** Where the tape ends, behind which all is free. */
export function tapeEnd(): usize {
  return Tape.end
}

/** Reads about so many bytes on, and each once; false when that was not all of them. */
export function scan(bytes: u32): bool {
  return scanTo(<usize>min(<u64>Scan.end, <u64>Scan.position + bytes))
}

function makeRoom(): void {
  grow(<f64>(<u64>Tape.end + 2 * TAPE_ROOM_BYTES))
  Scan.tapeLimit = <usize>(((<u64>memory.size()) << 16) - TAPE_ROOM_BYTES)
}

function scanTo(stop: usize): bool {
  let position = Scan.position
  let state = Scan.state
  let tape = Tape.end
  let open = Scan.open
  let isObject = isObjectAt(open)
  let values = Scan.values
  while (true) {
    if (position >= stop && (stop < Scan.end || state === END)) break
    if (tape >= Scan.tapeLimit) {
      Tape.end = tape
      makeRoom()
    }
    const byte = load<u8>(position)
    switch (state) {
      case COMMA_OR_CLOSE:
        if (byte !== COMMA_BYTE) break
        if (++values > Scan.maxValues) rejectValues()
        state = isObject ? NEXT_KEY : VALUE
        position++
        continue
      case COLON:
        if (byte !== COLON_BYTE) break
        state = VALUE
        position++
        continue
      case FIRST_KEY:
      case NEXT_KEY:
      case VALUE:
      case FIRST_ITEM: {
        const isKey = state === FIRST_KEY || state === NEXT_KEY
        if (byte === QUOTE_BYTE) {
          const end = endOfShort(position)
          if (end === 0) {
            Scan.stringStart = position++
            Scan.stringFlags = isKey ? KEY : PLAIN
            state = IN_STRING
            continue
          }
          store<u32>(tape, (<u32>(position - Tape.text)) << SHIFT)
          store<u32>(tape, ((<u32>(end - Tape.text)) << SHIFT) | (isKey ? KEY : PLAIN), 4)
          tape += ENTRY_BYTES
          position = end
          state = isKey ? COLON : open === 0 ? END : COMMA_OR_CLOSE
          // Mostly what is expected follows at once.
          if (isKey && load<u8>(position) === COLON_BYTE) {
            position++
            state = VALUE
          }
          continue
        }
        if (isKey) break
        if ((byte | 0x20) === OPEN_OBJECT_BYTE) {
          if (load<u64>(position) === KEY_VALUE_START && Scan.depth < MAX_PLAIN_DEPTH) {
            const end = scanKeyValue(position, tape)
            if (end !== 0) {
              values += Scan.isWhole ? 3 : 2
              if (values > Scan.maxValues) rejectValues()
              if (Scan.isWhole) state = open === 0 ? END : COMMA_OR_CLOSE
              else {
                store<u32>(tape, open, 4)
                open = <u32>(tape - Tape.start)
                isObject = true
                Scan.depth++
                state = VALUE
              }
              position = end
              tape = Tape.end
              continue
            }
          }
          isObject = byte === OPEN_OBJECT_BYTE
          store<u32>(tape, ((<u32>(position - Tape.text)) << SHIFT) | (isObject ? OBJECT : ARRAY))
          store<u32>(tape, open, 4)
          open = <u32>(tape - Tape.start)
          tape += ENTRY_BYTES
          if (++Scan.depth > MAX_PLAIN_DEPTH) Scan.unusual = position
          if (++values > Scan.maxValues) rejectValues()
          state = isObject ? FIRST_KEY : FIRST_ITEM
          position++
          continue
        }
        if (byte <= 0x20 || byte === CLOSE_ARRAY_BYTE) break
        position = scanScalar(position, byte, tape)
        tape += ENTRY_BYTES
        state = open === 0 ? END : COMMA_OR_CLOSE
        continue
      }
      case IN_STRING: {
        const end = scanString(position, stop)
        if (end === 0) {
          position = Scan.position
          continue
        }
        position = end
        const flags = Scan.stringFlags
        store<u32>(tape, (<u32>(Scan.stringStart - Tape.text)) << SHIFT)
        store<u32>(tape, ((<u32>(position - Tape.text)) << SHIFT) | flags, 4)
        tape += ENTRY_BYTES
        if ((flags & REWRITE) !== 0) Scan.unusual = position
        state = (flags & KEY) !== 0 ? COLON : open === 0 ? END : COMMA_OR_CLOSE
        continue
      }
    }
    if (isSpace(byte)) {
      Scan.unusual = position++
      while (position < stop && isSpace(load<u8>(position))) position++
      continue
    }
    if (!mayClose(state) || byte !== (isObject ? CLOSE_OBJECT_BYTE : CLOSE_ARRAY_BYTE))
      failAt(state, isObject, position)
    const opened = Tape.start + open
    store<u32>(tape, ((<u32>(position - Tape.text)) << SHIFT) | CLOSE)
    store<u32>(tape, open, 4)
    tape += ENTRY_BYTES
    open = load<u32>(opened, 4)
    const start = Tape.text + (load<u32>(opened) >>> SHIFT)
    store<u32>(opened, <u32>(tape - Tape.start) | (Scan.unusual > start ? REWRITE : PLAIN), 4)
    isObject = isObjectAt(open)
    Scan.depth--
    state = open === 0 ? END : COMMA_OR_CLOSE
    position++
  }
  Scan.position = position
  Scan.state = state
  Scan.open = open
  Scan.values = values
  Tape.end = tape
  return position >= Scan.end && state === END
}

function isObjectAt(open: u32): bool {
  return (load<u32>(Tape.start + open) & KINDS) === OBJECT
}

function mayClose(state: i32): bool {
  return state === COMMA_OR_CLOSE || state === FIRST_KEY || state === FIRST_ITEM
}

function failAt(state: i32, isObject: bool, position: usize): void {
  switch (state) {
    case COMMA_OR_CLOSE:
      fail(isObject ? 'expected a comma or }' : 'expected a comma or ]', position)
      break
    case COLON:
      fail('expected a colon', position)
      break
    case FIRST_KEY:
    case NEXT_KEY:
      fail('expected a key in double quotes', position)
      break
    case END:
      fail('expected the end', position)
      break
    default:
      fail('expected a value', position)
  }
}

// `{"key":"`, then `,"value"`, then `"stringValue":"`, of which the first and the last eight bytes, then `}}`.
const KEY_VALUE_START: u64 = ((<u64>0x223a2279) << 32) | 0x656b227b
const VALUE_START: u64 = ((<u64>0x2265756c) << 32) | 0x6176222c
const STRING_VALUE_START: u64 = ((<u64>0x56676e69) << 32) | 0x72747322
const STRING_VALUE_END: u64 = ((<u64>0x223a2265) << 32) | 0x756c6156
const KEY_VALUE_END: u16 = 0x7d7d
/** `"key":`, `,"value":{` and `"stringValue":` take so many bytes. */
const KEY_BYTES: usize = 6
const VALUE_BYTES: usize = 10
const STRING_VALUE_BYTES: usize = 14

/**
 * Reads `{"key":"...","value":{"stringValue":"..."}}`, of which requests in OTLP JSON mostly consist, at once, or else
 * what there is before the value.
 * @returns where it goes on; 0 for anything else, of which nothing is read then
 */
function scanKeyValue(start: usize, tape: usize): usize {
  const keyEnd = endOfPlain(start + 1 + KEY_BYTES)
  if (keyEnd === 0 || load<u64>(keyEnd) !== VALUE_START || load<u8>(keyEnd + 8) !== COLON_BYTE) return 0
  const first = <u32>(start - Tape.text)
  const name = <u32>(keyEnd - Tape.text) + 1
  storeEntry(tape, (first << SHIFT) | OBJECT, 0)
  storeEntry(tape + 8, (first + 1) << SHIFT, ((first + 6) << SHIFT) | KEY)
  storeEntry(tape + 16, (first + 7) << SHIFT, (name - 1) << SHIFT)
  storeEntry(tape + 24, name << SHIFT, ((name + 7) << SHIFT) | KEY)
  const end = scanStringValue(keyEnd + VALUE_BYTES - 1, tape + 32)
  Scan.isWhole = end !== 0
  if (end === 0) {
    Tape.end = tape + 4 * ENTRY_BYTES
    return keyEnd + VALUE_BYTES - 1
  }
  const outer = <u32>(tape - Tape.start)
  store<u32>(tape, outer + 9 * <u32>ENTRY_BYTES, 4)
  storeEntry(tape + 64, ((<u32>(end - 1 - Tape.text)) << SHIFT) | CLOSE, outer)
  Tape.end = tape + 9 * ENTRY_BYTES
  return end
}

/** Reads `{"stringValue":"..."}}` but for the last brace; returns the end of that, or 0 for anything else. */
function scanStringValue(start: usize, tape: usize): usize {
  const name = start + 1
  if (load<u8>(start) !== OPEN_OBJECT_BYTE) return 0
  if (load<u64>(name) !== STRING_VALUE_START || load<u64>(name + 7) !== STRING_VALUE_END) return 0
  const value = name + STRING_VALUE_BYTES
  const valueEnd = endOfPlain(value)
  if (valueEnd === 0 || load<u16>(valueEnd) !== KEY_VALUE_END) return 0
  const first = <u32>(start - Tape.text)
  const close = <u32>(valueEnd - Tape.text)
  const opened = <u32>(tape - Tape.start)
  storeEntry(tape, (first << SHIFT) | OBJECT, opened + 4 * <u32>ENTRY_BYTES)
  storeEntry(tape + 8, (first + 1) << SHIFT, ((first + 14) << SHIFT) | KEY)
  storeEntry(tape + 16, (first + 15) << SHIFT, close << SHIFT)
  storeEntry(tape + 24, (close << SHIFT) | CLOSE, opened)
  return valueEnd + 2
}

function storeEntry(entry: usize, first: u32, second: u32): void {
  store<u64>(entry, <u64>first | ((<u64>second) << 32))
}

/** The most of a string that is looked at for `endOfPlain`. */
const MAX_PLAIN_BYTES: usize = 1024

/** The end of a string that is plain, quotes included; 0 for any other, and for a long one. */
function endOfPlain(start: usize): usize {
  const stop = start + MAX_PLAIN_BYTES
  for (let at = start + 1; at < stop; at += 16) {
    const mask = i8x16.bitmask(specialIn(v128.load(at)))
    if (mask === 0) continue
    const end = at + <usize>ctz(mask)
    return load<u8>(end) === QUOTE_BYTE ? end + 1 : 0
  }
  return 0
}

/** The end of a string that is plain and has less than 32 bytes, quotes included; 0 for any other. */
function endOfShort(start: usize): usize {
  let end = start + 1
  let mask = i8x16.bitmask(specialIn(v128.load(end)))
  if (mask === 0) {
    end += 16
    mask = i8x16.bitmask(specialIn(v128.load(end)))
    if (mask === 0) return 0
  }
  end += <usize>ctz(mask)
  return load<u8>(end) === QUOTE_BYTE ? end + 1 : 0
}

/** Quotes, backslashes, control characters and what is beyond ASCII: as signed bytes those are below 0x20, too. */
function specialIn(block: v128): v128 {
  return v128.or(
    i8x16.lt_s(block, i8x16.splat(0x20)),
    v128.or(i8x16.eq(block, i8x16.splat(QUOTE_BYTE)), i8x16.eq(block, i8x16.splat(BACKSLASH_BYTE))),
  )
}

function isSpace(byte: u8): bool {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** Returns where the string ends that is being read; 0, and leaves the position there, when it goes beyond `stop`. */
function scanString(start: usize, stop: usize): usize {
  let from = start
  while (true) {
    const mask = i8x16.bitmask(specialIn(v128.load(from)))
    if (mask === 0) from += 16
    else {
      from += <usize>ctz(mask)
      const byte = load<u8>(from)
      if (byte === QUOTE_BYTE) return from + 1
      if (byte === BACKSLASH_BYTE) from = scanEscape(from)
      else if (byte < 0x20) failInString(byte, from)
      else from = scanSequences(from)
    }
    if (from >= stop && stop < Scan.end) {
      Scan.position = from
      return 0
    }
  }
}

function failInString(_byte: u8, position: usize): void {
  if (position === Scan.end) fail('expected a closing quote', position)
  fail('expected an escape for a control character', position)
}

/** Returns the end of the escape at a backslash. */
function scanEscape(position: usize): usize {
  const letter = load<u8>(position + 1)
  switch (letter) {
    case 0x22:
    case 0x5c:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      if ((Scan.stringFlags & REWRITE) === 0) Scan.stringFlags |= ESCAPED
      return position + 2
    case 0x2f:
      rewriteString()
      return position + 2
    case 0x75:
      for (let digit = position + 2; digit < position + 6; digit++) {
        if (!isHexDigit(load<u8>(digit))) fail('expected four hexadecimal digits after \\u', digit)
      }
      rewriteString()
      return position + 6
    default:
      fail('expected one of the escapes of JSON', position)
      return 0
  }
}

function rewriteString(): void {
  Scan.stringFlags = (Scan.stringFlags & KEY) | REWRITE
}

function isHexDigit(byte: u8): bool {
  return <u8>(byte - ZERO_BYTE) < 10 || <u8>((byte | 0x20) - 0x61) < 6
}

/** Returns the end of the characters beyond ASCII that begin here; those that are ill-formed are written otherwise. */
function scanSequences(start: usize): usize {
  let from = start
  while (load<u8>(from) >= 0x80) {
    const common = commonLength(from)
    if (common !== 0) from += common
    else {
      const length = sequenceLength(from, Scan.end)
      if (length < 0) rewriteString()
      from += <usize>abs(length)
    }
    // So that a long text can be left.
    if (from - start > 4096) break
  }
  return from
}

/** The length of a well-formed sequence of two bytes, or of three that has no special cases; 0 for any other. */
export function commonLength(start: usize): usize {
  const lead = load<u8>(start)
  if (lead >= 0xc2 && lead < 0xe0) return (load<u8>(start + 1) & 0xc0) === 0x80 ? 2 : 0
  if (lead > 0xe0 && lead < 0xed) return (load<u16>(start + 1) & 0xc0c0) === 0x8080 ? 3 : 0
  return 0
}
