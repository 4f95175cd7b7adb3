/** A map that lets its oldest entry go to stay within its limit, and says which. */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>()
  readonly #limit: number
  readonly #onEvicted: (value: V) => void

  constructor(limit: number, onEvicted: (value: V) => void) {
    this.#limit = limit
    this.#onEvicted = onEvicted
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)
  }

  set(key: K, value: V): void {
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#limit) return
    const [oldestKey, oldest] = this.#entries.entries().next().value!
    this.#entries.delete(oldestKey)
    this.#onEvicted(oldest)
  }

  delete(key: K): void {
    this.#entries.delete(key)
  }
}
