/** Waits for a promise, or until the time is over; never rejects. Keeps the process alive meanwhile. */
export async function within(timeoutMillis: number, promise: Promise<unknown> | undefined): Promise<void> {
  const { promise: timeout, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, timeoutMillis)
  await Promise.race([promise, timeout]).catch(() => {})
  clearTimeout(timer)
}
