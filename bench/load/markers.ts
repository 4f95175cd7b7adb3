import { formatTimestamp, type Micros } from '@agentic-hooks/events'
import type { Protocol } from './options.ts'

// A body is encoded once, by the encoders that real clients use, with markers where ids and times go. What
// stands there is then found by searching and overwritten in place for every request.
export const ID_MARKER = '############'
export const AGENT_MARKER = 'agent-@@@@@'
export const TIME_MARKER_MICROS: Micros = 1_234_567_890_123_456

const AGENT_DIGITS = 5
/** Most connections that an agent's number has digits for. */
export const MAX_AGENTS = 10 ** AGENT_DIGITS

const HEX_DIGITS = Buffer.from('0123456789abcdef')
const CODE_ZERO = 48

/** Where the markers of a request are, and how to overwrite them in any copy of it. */
export class Markers {
  readonly #ids: readonly number[]
  readonly #agents: readonly number[]
  readonly #times: readonly number[]
  readonly #writeTimes: (bytes: Buffer, offsets: readonly number[], micros: Micros) => void

  constructor(protocol: Protocol, request: Buffer, records: number) {
    const time = TIMES[protocol]
    this.#ids = offsetsOf(request, Buffer.from(ID_MARKER))
    this.#agents = offsetsOf(request, Buffer.from(AGENT_MARKER)).map(
      (offset) => offset + AGENT_MARKER.length - AGENT_DIGITS,
    )
    this.#times = offsetsOf(request, time.marker)
    this.#writeTimes = time.write
    if (this.#ids.length !== records || this.#times.length % records !== 0 || this.#agents.length < records) {
      throw new Error(`the ${protocol} body does not hold the markers that were encoded into it`)
    }
  }

  /** Makes the events of a request the ones numbered from `firstEvent` on, all of one agent and one time. */
  overwrite(request: Buffer, firstEvent: number, agent: number, micros: Micros): void {
    for (let index = 0; index < this.#ids.length; index++) {
      writeHex(request, this.#ids[index]!, firstEvent + index)
    }
    for (const offset of this.#agents) writeDecimal(request, offset, agent)
    this.#writeTimes(request, this.#times, micros)
  }
}

function offsetsOf(bytes: Buffer, marker: Buffer): number[] {
  const offsets: number[] = []
  let offset = bytes.indexOf(marker)
  while (offset !== -1) {
    offsets.push(offset)
    offset = bytes.indexOf(marker, offset + marker.length)
  }
  return offsets
}

function writeHex(bytes: Buffer, offset: number, number: number): void {
  let rest = number
  for (let position = offset + ID_MARKER.length - 1; position >= offset; position--) {
    const quotient = Math.floor(rest / 16)
    bytes[position] = HEX_DIGITS[rest - quotient * 16]!
    rest = quotient
  }
}

function writeDecimal(bytes: Buffer, offset: number, number: number): void {
  let rest = number
  for (let position = offset + AGENT_DIGITS - 1; position >= offset; position--) {
    bytes[position] = CODE_ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

const TIMES = {
  'otlp-protobuf': { marker: fixed64(TIME_MARKER_MICROS), write: writeAll(fixed64) },
  // The last three digits of the nanoseconds stay as they are, zero.
  'otlp-json': {
    marker: Buffer.from(String(TIME_MARKER_MICROS)),
    write: writeAll((m) => Buffer.from(String(m))),
  },
  rest: {
    marker: Buffer.from(formatTimestamp(TIME_MARKER_MICROS)),
    write: writeAll((micros) => Buffer.from(formatTimestamp(micros))),
  },
} as const

function fixed64(micros: Micros): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(micros) * 1000n)
  return bytes
}

function writeAll(encode: (micros: Micros) => Buffer) {
  return (bytes: Buffer, offsets: readonly number[], micros: Micros) => {
    const time = encode(micros)
    for (const offset of offsets) bytes.set(time, offset)
  }
}
