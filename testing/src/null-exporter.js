/** Says that it has stored everything and forgets it: for tests of what does not reach a store, and benches. */
export function createExporter({ delayMillis = 0 }) {
  return {
    name: 'null',
    idempotent: false,
    async start() {},
    async health() {},
    async export(batch) {
      if (delayMillis) await new Promise((resolve) => setTimeout(resolve, delayMillis))
      return { stored: batch.events.length, duplicates: 0, rejected: [] }
    },
    async shutdown() {},
  }
}
