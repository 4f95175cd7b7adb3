import type { RequestBody } from './decode/decoded-request.ts'

const BLOCK_BYTES = 2 ** 20

/**
 * A large body in memory of its own. It is given back when nobody needs it any more, not when the engine comes to
 * collect it: that would be some hundred megabytes later.
 */
export class BodyBlocks implements RequestBody {
  readonly chunks: Buffer[] = []
  byteLength = 0
  /** In the last block. */
  #freeBytes = 0

  append(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.byteLength; ) {
      if (this.#freeBytes === 0) this.#addBlock()
      const part = bytes.subarray(start, start + this.#freeBytes)
      const block = new Uint8Array(this.chunks.at(-1)!.buffer)
      block.set(part, BLOCK_BYTES - this.#freeBytes)
      this.#freeBytes -= part.byteLength
      this.byteLength += part.byteLength
      start += part.byteLength
    }
  }

  /** Nothing follows. */
  end(): RequestBody {
    const last = this.chunks.pop()
    if (last) this.chunks.push(last.subarray(0, BLOCK_BYTES - this.#freeBytes))
    return this
  }

  release(): void {
    for (const { buffer } of this.chunks.splice(0)) (buffer as ArrayBuffer).transfer(0)
  }

  #addBlock(): void {
    this.chunks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES))
    this.#freeBytes = BLOCK_BYTES
  }
}
