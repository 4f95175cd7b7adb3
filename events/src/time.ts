/** Microseconds since 1970, an integer. Times are truncated to microseconds everywhere, as PostgreSQL keeps them. */
export type Micros = number

const ISO_8601 =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(?:Z|([+-])([01]\d|2[0-3]):?([0-5]\d)?)?$/i

export function nowMicros(): Micros {
  return Date.now() * 1000
}

/** ISO 8601 to microseconds; without an offset it is UTC. Null when it is not a time of the calendar. */
export function parseTimestamp(text: string): Micros | null {
  const match = ISO_8601.exec(text)
  if (!match) return null
  const [, day, minutes, seconds = '00', fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] = match
  const local = `${day}T${minutes}:${seconds}`
  const millis = Date.parse(`${local}Z`)
  // Date.parse rolls February 30 over into March; a time that comes back different was never one.
  if (Number.isNaN(millis) || !new Date(millis).toISOString().startsWith(local)) return null
  const offsetMillis = (sign === '-' ? -1 : 1) * (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000
  return (millis - offsetMillis) * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6))
}

let cachedSecond = -1
let cachedText = ''

/** As in `2026-11-22T15:36:00.123456+00:00`, always with six digits. */
export function formatTimestamp(micros: Micros): string {
  const second = Math.floor(micros / 1_000_000)
  if (second !== cachedSecond) {
    cachedText = new Date(second * 1000).toISOString().slice(0, 19)
    cachedSecond = second
  }
  return `${cachedText}.${String(micros - second * 1_000_000).padStart(6, '0')}+00:00`
}
