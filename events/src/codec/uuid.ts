import { createHash, randomFillSync } from 'node:crypto'

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const POOL_BYTES = 4096
const COUNTER_RANGE = 2 ** 26

const pool = new Uint8Array(POOL_BYTES)
let poolOffset = POOL_BYTES
let lastMillis = 0
let counter = 0
/** The digits of a millisecond, with their hyphens: the same for all its ids. */
let prefix = ''
let prefixMillis = -1

/**
 * A UUIDv7 (RFC 9562 section 5.7) that sorts after every one made earlier in this process: a 26-bit counter follows
 * the millisecond (section 6.2, method 1), so events of one millisecond keep their order. Making one takes its place
 * in that order; writing it out can wait.
 */
export class Uuidv7 {
  readonly #millis: number
  readonly #counter: number
  #text = ''

  constructor(nowMillis = Date.now()) {
    if (nowMillis > lastMillis) {
      lastMillis = Math.floor(nowMillis)
      const random = draw(4)
      // The top bit stays clear, so that at least 33 million ids fit into the millisecond.
      counter =
        ((pool[random]! & 0x01) << 24) |
        (pool[random + 1]! << 16) |
        (pool[random + 2]! << 8) |
        pool[random + 3]!
    } else if (++counter === COUNTER_RANGE) {
      lastMillis++
      counter = 0
    }
    this.#millis = lastMillis
    this.#counter = counter
  }

  toString(): string {
    this.#text ||= format(this.#millis, this.#counter)
    return this.#text
  }
}

/** A new one, written out. */
export function uuidv7(nowMillis?: number): string {
  return new Uuidv7(nowMillis).toString()
}

function format(millis: number, counter: number): string {
  if (millis !== prefixMillis) {
    const digits = millis.toString(16).padStart(12, '0')
    prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-`
    prefixMillis = millis
  }
  const random = draw(6)
  return (
    prefix +
    HEX[0x70 | (counter >>> 22)]! +
    HEX[(counter >>> 14) & 0xff]! +
    '-' +
    HEX[0x80 | ((counter >>> 8) & 0x3f)]! +
    HEX[counter & 0xff]! +
    '-' +
    HEX[pool[random]!]! +
    HEX[pool[random + 1]!]! +
    HEX[pool[random + 2]!]! +
    HEX[pool[random + 3]!]! +
    HEX[pool[random + 4]!]! +
    HEX[pool[random + 5]!]!
  )
}

/** Where in the pool so many random bytes are. It is filled 4 KiB at a time: a call per id would cost more than an emit. */
function draw(bytes: number): number {
  if (poolOffset + bytes > POOL_BYTES) {
    randomFillSync(pool)
    poolOffset = 0
  }
  poolOffset += bytes
  return poolOffset - bytes
}

export function isUuid(text: string): boolean {
  return text.length === 36 && UUID.test(text)
}

/**
 * The UUID for an event's id: the id itself, or, when it is no UUID, a UUIDv5 of it beside its original form.
 * Without an id it is a new UUIDv7.
 */
export function toUuid(id: string | null | undefined): { eventId: string; original: string | null } {
  if (!id) return { eventId: uuidv7(), original: null }
  return isUuid(id)
    ? { eventId: id.toLowerCase(), original: null }
    : { eventId: uuidFromText(id), original: id }
}

/** The millisecond inside a UUIDv7, or null for any other text. */
export function uuidv7Millis(uuid: string): number | null {
  return isUuid(uuid) && uuid[14] === '7' ? Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16) : null
}

// The project's own UUIDv5 namespace; changing it would change every derived id.
const NAMESPACE = Buffer.from('6f1d3a0c2b7e4c58a94d0e5b83f2c761', 'hex')

/** A UUIDv5 (RFC 9562 section 5.5): the same for the same text. */
export function uuidFromText(text: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(text).digest()
  return formatUuid(hash, 5)
}

/**
 * The id of the index-th record of a request that names none: a UUIDv8 (RFC 9562 section 5.8) from the
 * request's hash, so that a request sent again brings the same ids.
 * @param requestHash at least 16 bytes of the hash of the decompressed body
 */
export function uuidFromRequest(requestHash: Uint8Array, index: number): string {
  const bytes = Buffer.from(requestHash.subarray(0, 16))
  bytes.writeUInt32BE((bytes.readUInt32BE(12) + index) >>> 0, 12)
  return formatUuid(bytes, 8)
}

function formatUuid(hash: Buffer, version: number): string {
  hash[6] = (hash[6]! & 0x0f) | (version << 4)
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
