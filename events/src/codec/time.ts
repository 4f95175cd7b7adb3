import { MAX_TIMESTAMP_MICROS } from '../event.ts'

/** Microseconds since 1970, an integer. Times are truncated to microseconds everywhere, as PostgreSQL keeps them. */
export type Micros = number

const ISO_8601 =
  /^([1-9]\d{3})-(0[1-9]|1[0-2])-(\d\d)[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?\s?(?:Z|([+-])([01]\d|2[0-3]):?([0-5]\d)?)?$/i

export function nowMicros(): Micros {
  return Date.now() * 1000
}

/** ISO 8601 to microseconds; without an offset it is UTC. Null when it is not a time of the calendar. */
export function parseTimestamp(text: string): Micros | null {
  const usual = parseUsual(text)
  if (usual !== null) return usual
  const match = ISO_8601.exec(text)
  if (!match) return null
  const [, year, month, day, hour, minute, second = '0', fraction = '', sign, hours = '0', minutes = '0'] =
    match
  const millis = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  )
  // Date.UTC rolls February 30 over into March.
  if (new Date(millis).getUTCDate() !== Number(day)) return null
  knownDay = `${text.slice(0, 10)}T`
  knownDayMicros = Date.UTC(Number(year), Number(month) - 1, Number(day)) * 1000
  const offsetMillis = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
  return (millis - offsetMillis) * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6))
}

/** The day that was read last: most times are of the same one. No text begins as the first does. */
let knownDay = ' '
let knownDayMicros: Micros = 0

const ZERO = 0x30
const COLON = 0x3a
const POINT = 0x2e

/** Of a time as in `2026-11-22T15:36:00.123456Z`, or `+00:00` at its end, for which the expression takes ten times as long. */
function parseUsual(text: string): Micros | null {
  const isUsual =
    (text.length === 27 ? text.endsWith('Z') : text.length === 32 && text.endsWith('+00:00')) &&
    text.startsWith(knownDay) &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON &&
    text.charCodeAt(19) === POINT
  if (!isUsual) return null
  const hour = twoDigits(text, 11)
  const minute = twoDigits(text, 14)
  const second = twoDigits(text, 17)
  const micros = twoDigits(text, 20) * 10_000 + twoDigits(text, 22) * 100 + twoDigits(text, 24)
  // One that is no number makes the sum none.
  if (!(hour < 24 && minute < 60 && second < 60 && micros >= 0)) return null
  return knownDayMicros + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros
}

/** NaN for what are no digits. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - ZERO
  const ones = text.charCodeAt(at + 1) - ZERO
  return tens >= 0 && tens < 10 && ones >= 0 && ones < 10 ? tens * 10 + ones : Number.NaN
}

/** The same time in whole microseconds, or the nearest that every store can hold: from 1970 to 2255-06-05. */
export function storableMicros(micros: number): Micros {
  return Math.min(Math.max(Math.floor(micros) || 0, 0), MAX_TIMESTAMP_MICROS)
}

let cachedSecond = -1
let cachedText = ''

/**
 * As in `2026-11-22T15:36:00.123456+00:00`, always with six digits. Never throws: a time that no store can hold is
 * written as the nearest that can be, see {@link storableMicros}.
 */
export function formatTimestamp(time: Micros): string {
  const micros = storableMicros(time)
  const second = Math.floor(micros / 1_000_000)
  if (second !== cachedSecond) {
    cachedText = new Date(second * 1000).toISOString().slice(0, 19)
    cachedSecond = second
  }
  return `${cachedText}.${String(micros - second * 1_000_000).padStart(6, '0')}+00:00`
}
