import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { answer } from './answer.ts'

/** Answers a request, or throws or rejects with the reason why it did not. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

/** Answers a request with an error. May itself throw. */
export type FailureAnswer = (request: IncomingMessage, response: ServerResponse, error: unknown) => void

/**
 * The edge of the receiver: nothing that is thrown while a request is handled goes further than here, now or later,
 * so that it can neither end the process nor leave a client without an answer. The client gets what `answerFailure`
 * makes of the error; where that throws as well, a 500; and where half an answer is out, the end of its connection.
 */
export function withLastCatch(
  handler: Handler,
  answerFailure: FailureAnswer,
  log: Pick<Logger, 'error'>,
): RequestListener {
  return (request, response) => {
    const fail = (error: unknown) => {
      try {
        if (response.headersSent) throw error
        answerFailure(request, response, error)
      } catch (defect) {
        endAnyhow(request, response)
        logAnyhow(log, defect)
      }
    }
    response.on('error', (error) => logAnyhow(log, error))
    try {
      const handled = handler(request, response)
      if (handled instanceof Promise) handled.catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}

function endAnyhow(request: IncomingMessage, response: ServerResponse): void {
  if (response.writableEnded) return
  try {
    if (response.headersSent) response.destroy()
    else answer(request, response, 500, 'application/json', '{"detail":"internal error"}')
  } catch {
    response.destroy()
  }
}

/** A log that cannot be written is no reason to stop serving. */
function logAnyhow(log: Pick<Logger, 'error'>, error: unknown): void {
  try {
    log.error({ err: error }, 'a request could not be answered as it should')
  } catch {}
}
