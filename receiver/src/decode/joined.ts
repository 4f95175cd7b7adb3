import type { RequestBody } from './decoded-request.ts'

/** Its bytes in one piece. */
export function joined({ chunks, byteLength }: RequestBody): Buffer {
  return chunks.length === 1 ? asBuffer(chunks[0]!) : Buffer.concat(chunks, byteLength)
}

/** Grows to the largest body that is not large. */
let shared = Buffer.alloc(0)

/**
 * Its bytes in one piece until the next call: memory that is allocated for each body makes the engine collect its
 * whole heap several times a second.
 */
export function joinedForNow({ chunks, byteLength }: RequestBody): Buffer {
  if (chunks.length === 1) return asBuffer(chunks[0]!)
  if (byteLength > shared.byteLength) shared = Buffer.allocUnsafeSlow(byteLength)
  let offset = 0
  for (const chunk of chunks) {
    shared.set(chunk, offset)
    offset += chunk.byteLength
  }
  return shared.subarray(0, byteLength)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
