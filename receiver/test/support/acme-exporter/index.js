import { open } from 'node:fs/promises'
import { createReader } from './reader.js'

/** Appends one JSON line an event, payloads as text, and syncs the file for every batch. */
export function createExporter({ path }, { logger }) {
  if (typeof path !== 'string') throw new Error(`acme-exporter: path is ${path}; it must be a file name`)
  let file = null
  let lastWrite = Promise.resolve()

  const append = async ({ events }) => {
    if (file === null) throw new Error('acme-exporter is not open')
    await file.appendFile(events.map(toLine).join(''))
    await file.datasync()
    return { stored: events.length, duplicates: 0, rejected: [] }
  }

  return {
    name: 'acme',
    idempotent: false,
    async start() {
      file = await open(path, 'a')
      logger.info({ path }, 'acme-exporter writes')
    },
    async health() {
      if (file === null) throw new Error('acme-exporter is not open')
    },
    export(batch) {
      const written = lastWrite.then(() => append(batch))
      lastWrite = written.catch(() => {})
      return written
    },
    ...createReader(path),
    async shutdown() {
      await lastWrite
      await file?.close()
      file = null
    },
  }
}

function toLine({ data, attributes, origin, ...rest }) {
  const line = {
    ...rest,
    data: toText(data),
    attributes: toText(attributes),
    origin: origin && { resource: toText(origin.resource), scope: toText(origin.scope) },
  }
  return `${JSON.stringify(line)}\n`
}

function toText(bytes) {
  return bytes && Buffer.from(bytes).toString()
}
