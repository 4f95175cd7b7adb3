const utcDay = () => new Date().toISOString().slice(0, 10)

/**
 * Options for tests about what is today's, whose code reads a clock of its own, the database's perhaps: a test that
 * fails is tried again, once, if midnight (UTC) passed since this was called or since the last such failure.
 */
export function againAfterMidnight() {
  let day = utcDay()
  const condition = () => {
    const begunOn = day
    day = utcDay()
    return day !== begunOn
  }
  return { retry: { count: 1, condition } }
}
