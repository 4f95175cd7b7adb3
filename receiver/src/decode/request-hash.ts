import { createHash } from 'node:crypto'
import { uuidFromRequest } from '@agentic-hooks/events'

/** Takes some milliseconds. */
const STEP_BYTES = 2 ** 21

/** Where the last eight digits of an id begin. They alone depend on the record. */
const LAST_DIGITS = 28
const DIGITS = Buffer.from('0123456789abcdef')

/** The hash of a body, which is computed once it is asked for. */
export class RequestHash {
  readonly #chunks: () => readonly Uint8Array[]
  #digest: Uint8Array | null = null
  /** The id of the record that was asked for last. */
  readonly #id = Buffer.alloc(36)

  /** @param chunks where the body is when it is asked for, as it came */
  constructor(chunks: () => readonly Uint8Array[]) {
    this.#chunks = chunks
  }

  get isKnown(): boolean {
    return this.#digest !== null
  }

  /** The id of the index-th record when it names none: see `uuidFromRequest`. */
  idOf(index: number): string {
    if (this.#digest === null) for (const _ of this.compute());
    const digest = this.#digest!
    let last = (((digest[12]! << 24) | (digest[13]! << 16) | (digest[14]! << 8) | digest[15]!) + index) >>> 0
    for (let at = LAST_DIGITS + 7; at >= LAST_DIGITS; at--) {
      this.#id[at] = DIGITS[last & 15]!
      last >>>= 4
    }
    // A text made of others would keep all of them.
    return this.#id.toString('latin1')
  }

  /** Computes it in steps. */
  *compute(): Generator<undefined, void, undefined> {
    const hash = createHash('sha256')
    let hashed = 0
    for (const chunk of this.#chunks()) {
      for (let start = 0; start < chunk.byteLength; start += STEP_BYTES) {
        const step = chunk.subarray(start, start + STEP_BYTES)
        if (hashed + step.byteLength > STEP_BYTES) {
          hashed = 0
          yield
        }
        hash.update(step)
        hashed += step.byteLength
      }
    }
    this.#digest = hash.digest()
    this.#id.write(uuidFromRequest(this.#digest, 0))
  }
}
