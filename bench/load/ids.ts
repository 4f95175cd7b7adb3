import { randomBytes } from 'node:crypto'
import type { LoadReport } from './options.ts'

const ID_DIGITS = 12

/** The id of the n-th event of a run. */
export function eventIdAt(idPrefix: string, number: number): string {
  return idPrefix + number.toString(16).padStart(ID_DIGITS, '0')
}

/** The ids of all events of accepted requests: every one of them must be in the store. */
export function* acceptedIds(report: LoadReport): Generator<string> {
  const unaccepted = new Set(report.unacceptedRequests)
  for (let request = 0; request < report.requests; request++) {
    if (unaccepted.has(request)) continue
    for (let index = 0; index < report.records; index++) {
      yield eventIdAt(report.idPrefix, request * report.records + index)
    }
  }
}

/**
 * All of a UUIDv7 but its last 12 digits, which count the events: ids grow as those of real clients do, and
 * 24 random bits tell runs of the same millisecond apart.
 */
export function randomIdPrefix(): string {
  const millis = Date.now().toString(16).padStart(12, '0')
  const random = randomBytes(3).toString('hex')
  return `${millis.slice(0, 8)}-${millis.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3)}-`
}
