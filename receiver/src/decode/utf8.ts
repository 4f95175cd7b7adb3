/**
 * The length of the UTF-8 sequence at `position`, whose first byte is not ASCII; when it is ill-formed, minus
 * the number of bytes that one U+FFFD stands for (the maximal subpart, as in the WHATWG Encoding Standard).
 */
export function utf8Sequence(bytes: Uint8Array, position: number, end: number): number {
  const lead = bytes[position]!
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
  if (length === 0) return -1
  // The second byte excludes overlong forms, surrogates and what lies beyond U+10FFFF.
  let lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  let highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  for (let read = 1; read < length; read++) {
    const byte = position + read < end ? bytes[position + read]! : 0
    if (byte < lowest || byte > highest) return -read
    lowest = 0x80
    highest = 0xbf
  }
  return length
}
