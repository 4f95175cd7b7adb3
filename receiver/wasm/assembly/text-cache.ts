import { isSame } from './names'

const SLOTS: u32 = 4096
const MAX_CACHED_BYTES: usize = 64
const MIN_CACHED_BYTES: usize = 4
const NO_SLOT: i32 = i32.MIN_VALUE

const lengths = memory.data(4096)
const contents = memory.data(262144)

/**
 * The slot of the text in a cache whose strings the host keeps: sessions, event types and the like recur from record to
 * record, and making their strings again is what costs most. -1 - slot, when it was not there and the host has to
 * put it there; the least integer for a text that is not kept.
 */
export function slotOf(start: usize, end: usize): i32 {
  const length = end - start
  if (length < MIN_CACHED_BYTES || length > MAX_CACHED_BYTES) return NO_SLOT
  const slot = hash(start, length) & (SLOTS - 1)
  const content = contents + <usize>slot * MAX_CACHED_BYTES
  if (load<u8>(lengths + slot) === length && isSame(start, content, length)) return slot
  store<u8>(lengths + slot, <u8>length)
  memory.copy(content, start, length)
  return -1 - <i32>slot
}

/** Mixes the first, the middle and the last four bytes: ids that differ do so in one of them. */
function hash(start: usize, length: usize): u32 {
  let mixed = load<u32>(start) ^ <u32>length
  mixed = ((mixed ^ (mixed >> 15)) * 0x2c1b3c6d) ^ load<u32>(start + (length >> 1) - 2)
  mixed = ((mixed ^ (mixed >> 13)) * 0x297a2d39) ^ load<u32>(start + length - 4)
  mixed = (mixed ^ (mixed >> 15)) * 0x2c1b3c6d
  return mixed ^ (mixed >> 16)
}
