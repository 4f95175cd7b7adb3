import type { RequestBody } from '../decode/decoded-request.ts'

const GROWTH_BYTES = 2 ** 20

/**
 * A large body in memory of its own, which the system gets back when nobody needs it any more, not some hundred
 * megabytes later: a resizable buffer is neither left to the engine's collector nor to the allocator's free lists.
 */
export class LargeBody implements RequestBody {
  readonly #buffer: ArrayBuffer
  readonly #bytes: Uint8Array
  #byteLength = 0

  constructor(maxBytes: number) {
    this.#buffer = new ArrayBuffer(0, { maxByteLength: maxBytes })
    this.#bytes = new Uint8Array(this.#buffer)
  }

  get chunks(): readonly Uint8Array[] {
    return [Buffer.from(this.#buffer, 0, this.#byteLength)]
  }

  get byteLength(): number {
    return this.#byteLength
  }

  append(bytes: Uint8Array): void {
    const { maxByteLength } = this.#buffer
    const end = this.#byteLength + bytes.byteLength
    if (end > this.#buffer.byteLength) {
      const grown = Math.ceil(end / GROWTH_BYTES) * GROWTH_BYTES
      this.#buffer.resize(Math.min(grown, maxByteLength))
    }
    this.#bytes.set(bytes, this.#byteLength)
    this.#byteLength = end
  }

  release(): void {
    this.#byteLength = 0
    this.#buffer.resize(0)
  }
}
