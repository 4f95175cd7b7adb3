/** What was asked for cannot be done now; the same batch may be sent again. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
}

export interface GroupCommitOptions<Committed> {
  /** Bytes not yet durable; above it `add` rejects at once. */
  readonly maxQueuedBytes: number
  /** Bytes committed together; what is larger goes alone. */
  readonly maxGroupBytes: number
  /** Makes all of them durable, in their order, or rejects. Never called before it has settled. */
  commit(group: readonly Buffer[], byteLength: number): Promise<Committed>
}

/** Where something was put: in what commit, and as which member of its group. */
export interface Place<Committed> {
  readonly committed: Committed
  readonly index: number
}

interface Pending<Committed> {
  readonly bytes: Buffer
  readonly signal: AbortSignal | undefined
  readonly addedAtMillis: number
  resolve(place: Place<Committed>): void
  reject(error: unknown): void
}

/**
 * Makes durable what gathered while the commit before was under way: that is all the waiting there is. A group
 * that fails is rejected whole.
 */
export class GroupCommit<Committed> {
  readonly #options: GroupCommitOptions<Committed>
  readonly #queue: Pending<Committed>[] = []
  #group: readonly Pending<Committed>[] = []
  #queuedBytes = 0
  #committing: Promise<void> | null = null

  constructor(options: GroupCommitOptions<Committed>) {
    this.#options = options
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** How long the oldest of what is not yet durable has waited; 0 when nothing waits. */
  get oldestAgeMillis(): number {
    const oldest = this.#group[0] ?? this.#queue[0]
    return oldest ? performance.now() - oldest.addedAtMillis : 0
  }

  /**
   * Resolves once the bytes are durable. An abort only ends the waiting: they may be written all the same.
   * @throws UnavailableError while maxQueuedBytes wait
   */
  add(bytes: Buffer, signal?: AbortSignal): Promise<Place<Committed>> {
    const { maxQueuedBytes } = this.#options
    if (this.#queuedBytes >= maxQueuedBytes) {
      const waiting = `${this.#queuedBytes} bytes wait, maxQueuedBytes is ${maxQueuedBytes}`
      return Promise.reject(new UnavailableError(`the disk does not keep up: ${waiting}`))
    }
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal!.reason)
      signal?.addEventListener('abort', abort)
      const settled = () => {
        this.#queuedBytes -= bytes.byteLength
        signal?.removeEventListener('abort', abort)
      }
      this.#queuedBytes += bytes.byteLength
      this.#queue.push({
        bytes,
        signal,
        addedAtMillis: performance.now(),
        resolve: (place) => {
          settled()
          resolve(place)
        },
        reject: (error) => {
          settled()
          reject(error)
        },
      })
      this.#committing ??= this.#commitAll()
    })
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#committing
  }

  async #commitAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#takeGroup()
      this.#group = group
      if (group.length === 0) continue
      const bytes = group.map((pending) => pending.bytes)
      try {
        const committed = await this.#options.commit(bytes, totalBytes(bytes))
        for (const [index, pending] of group.entries()) pending.resolve({ committed, index })
      } catch (error) {
        for (const pending of group) pending.reject(error)
      }
    }
    this.#group = []
    this.#committing = null
  }

  /** From the head of the queue what fits into one group; what was given up meanwhile is left out. */
  #takeGroup(): Pending<Committed>[] {
    const group: Pending<Committed>[] = []
    let bytes = 0
    let taken = 0
    for (const pending of this.#queue) {
      bytes += pending.bytes.byteLength
      if (group.length > 0 && bytes > this.#options.maxGroupBytes) break
      taken++
      if (pending.signal?.aborted) pending.reject(pending.signal.reason)
      else group.push(pending)
    }
    this.#queue.splice(0, taken)
    return group
  }
}

function totalBytes(buffers: readonly Buffer[]): number {
  let bytes = 0
  for (const { byteLength } of buffers) bytes += byteLength
  return bytes
}
