const UNIT_MILLIS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** @throws Error that names the option when the text is no time such as 500ms, 10s, 5m or 1h */
export function parseMillis(option: string, text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  if (!amount) throw new Error(`--${option} is ${text}; it must be a time such as 500ms, 10s, 5m or 1h`)
  return Number(amount) * UNIT_MILLIS[unit]!
}

/** @throws Error that names the option when the text is no whole number above 0 */
export function parseCount(option: string, text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`--${option} is ${text}; it must be a whole number above 0`)
  return count
}
