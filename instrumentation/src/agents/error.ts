/** `error` and `error_type` of a failed operation's data. */
export function describeError(error: unknown): { error: string; error_type: string } {
  if (error instanceof Error) return { error: error.message, error_type: error.name }
  if (typeof error === 'object' && error !== null && 'message' in error) {
    const { message, name } = error as { message: unknown; name?: unknown }
    return { error: String(message), error_type: typeof name === 'string' ? name : 'Error' }
  }
  return { error: String(error), error_type: typeof error }
}

export function isAbort(error: unknown): boolean {
  const name = error instanceof Error ? error.name : ''
  return name === 'AbortError' || name === 'APIUserAbortError'
}

let warned = false

/** Says once per process that something of ours failed, on the channel that an application can silence. */
export function warnOnce(error: unknown): void {
  if (warned) return
  warned = true
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.emitWarning(
    'Some hook events are missing: an instrumentation failed. The application is not affected.',
    {
      type: 'AgenticHooksWarning',
      detail: reason,
    },
  )
}

/** What `observe` returns, or undefined: an observer's failure is never the application's. */
export function quietly<T>(observe: () => T): T | undefined {
  try {
    return observe()
  } catch (error) {
    warnOnce(error)
    return undefined
  }
}
