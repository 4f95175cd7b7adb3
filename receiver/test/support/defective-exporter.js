/** An exporter with a defect that shows after an event is stored: its type says which. */
export function createExporter() {
  return {
    name: 'defective',
    start: async () => {},
    async export({ events }) {
      for (const { eventType } of events) {
        if (eventType === 'killing') process.kill(process.pid, 'SIGKILL')
        if (eventType === 'uncaught') setImmediate(() => undefined.member)
        if (eventType === 'unhandled') setImmediate(() => void Promise.reject(new Error('nobody waits')))
      }
      return { stored: events.length, duplicates: 0, rejected: [] }
    },
    flush: async () => {},
    health: async () => {},
    async shutdown() {
      process.stderr.write('the exporter has shut down\n')
    },
  }
}
