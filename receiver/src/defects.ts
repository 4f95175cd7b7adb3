import type { Logger } from 'pino'

const EXIT_FAILURE = 1

/**
 * What becomes of an exception that nobody caught, and of a rejection that nobody waited for: it is logged as fatal, the
 * process stops as if it had been told to, so that what is in flight is answered and what was accepted is made durable,
 * and ends with exit code 1 (docs/decisions/0120). A second one ends the process at once.
 * @param stop begins an orderly end
 */
export function stopOnDefect(log: Pick<Logger, 'fatal'>, stop: () => void): void {
  let isStopping = false
  const onDefect = (error: unknown) => {
    process.exitCode = EXIT_FAILURE
    try {
      log.fatal({ err: error }, 'a defect: an error that nobody handled; the process stops, start it again')
    } catch {} // Without a log it stops all the same.
    if (isStopping) process.exit()
    isStopping = true
    stop()
  }
  process.on('uncaughtException', onDefect)
  process.on('unhandledRejection', onDefect)
}
