import { createHash } from 'node:crypto'
import type { RequestBody } from './decoded-request.ts'

/** Takes some milliseconds. */
const STEP_BYTES = 2 ** 21

/** The hash of a body, which is computed once it is asked for. */
export class RequestHash {
  readonly #chunks: readonly Uint8Array[]
  #digest: Uint8Array | null = null

  constructor({ chunks }: RequestBody) {
    this.#chunks = chunks
  }

  get isKnown(): boolean {
    return this.#digest !== null
  }

  /** SHA-256. */
  get digest(): Uint8Array {
    if (this.#digest === null) for (const _ of this.compute());
    return this.#digest!
  }

  /** Computes it in steps. */
  *compute(): Generator<undefined, void, undefined> {
    const hash = createHash('sha256')
    let bytes = 0
    for (const chunk of this.#chunks) {
      for (let start = 0; start < chunk.byteLength; start += STEP_BYTES) {
        const step = chunk.subarray(start, start + STEP_BYTES)
        hash.update(step)
        bytes += step.byteLength
        if (bytes < STEP_BYTES) continue
        bytes = 0
        yield
      }
    }
    this.#digest = hash.digest()
  }
}
