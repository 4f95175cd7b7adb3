/**
 * The promise's result if it comes in time.
 * @throws the promise's error, or that of `tooLate`
 */
export async function withTimeout<T>(promise: Promise<T>, millis: number, tooLate: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate()), Math.max(millis, 0))
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** Whether the promise settles in time. */
export function settlesWithin(promise: Promise<unknown>, millis: number): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  )
  return withTimeout(settled, millis, () => new Error()).catch(() => false)
}

/**
 * The promise's result, unless the signal comes first.
 * @throws the promise's error, or the signal's reason
 */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
