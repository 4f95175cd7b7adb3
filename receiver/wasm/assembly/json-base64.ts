import { Json, reserve } from './json'

const QUOTE: u8 = 0x22
const PADDING: u8 = 0x3d
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** For each byte the six bits that it stands for, in both alphabets, or 64. */
const sextets = memory.data(256)
memory.fill(sextets, 64, 256)
for (let sextet = 0; sextet < 64; sextet++) store<u8>(sextets + ALPHABET.charCodeAt(sextet), <u8>sextet)
store<u8>(sextets + 0x2d, 62)
store<u8>(sextets + 0x5f, 63)

/** Writes base64 in the standard alphabet, padded; false, and nothing of use written, for what is no base64. */
export function writeBase64Text(start: usize, end: usize): bool {
  let last = end
  while (last > start && end - last < 2 && load<u8>(last - 1) === PADDING) last--
  reserve(last - start + 16)
  store<u8>(Json.position++, QUOTE)
  let bits: u8 = 0
  for (let from = start; from < last; from++) {
    bits = load<u8>(sextets + load<u8>(from))
    if (bits > 63) return false
    store<u8>(Json.position++, letter(bits))
  }
  const rest = (last - start) & 3
  // A single letter has no byte; of the last letter the bits that are in no byte do not count.
  if (rest === 1) Json.position--
  else if (rest !== 0) {
    store<u8>(Json.position - 1, letter(bits & (rest === 2 ? 0x30 : 0x3c)))
    store<u16>(Json.position, 0x3d3d)
    Json.position += 4 - rest
  }
  store<u8>(Json.position++, QUOTE)
  return true
}

function letter(bits: u8): u8 {
  return <u8>load<u16>(changetype<usize>(ALPHABET) + ((<usize>bits) << 1))
}

/** Reads the bytes of base64 that is padded; returns how many they are, or -1 for anything else. */
export function readBase64(start: usize, end: usize, to: usize): i32 {
  let last = end
  while (last > start && end - last < 2 && load<u8>(last - 1) === PADDING) last--
  if (last === end) return -1
  let bits: u32 = 0
  let held: u32 = 0
  let count: i32 = 0
  for (let from = start; from < last; from++) {
    const sextet: u32 = load<u8>(sextets + load<u8>(from))
    if (sextet > 63) return -1
    bits = (bits << 6) | sextet
    held += 6
    if (held < 8) continue
    held -= 8
    store<u8>(to + count, <u8>(bits >> held))
    count++
  }
  return count
}
