import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** A client that is told off in the middle of its body may take so long to notice. */
const LINGER_MILLIS = 5_000

/** Text where possible: Node writes it together with the headers, bytes and even no bytes in a second buffer. */
export type Body = string | Buffer

export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  contentType: string,
  body: Body,
  headers: OutgoingHttpHeaders = {},
): void {
  if (response.headersSent || response.destroyed) return
  const length = Buffer.byteLength(body)
  response.writeHead(status, { 'content-type': contentType, 'content-length': length, ...headers })
  if (request.complete) response.end(length ? body : undefined)
  else answerEarly(request, response, body)
}

/**
 * Tells a client that asked (`Expect: 100-continue`) to send its body, now that it is known that the body will be read.
 * One that is not told gets the final answer without having sent it.
 */
export function askForBody(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
}

/**
 * Answers before the client has sent everything. Closing now would reset the connection and with it the answer,
 * so the rest of the body is read and thrown away, for a while.
 */
function answerEarly(request: IncomingMessage, response: ServerResponse, body: Body): void {
  response.write(body)
  const timer = setTimeout(() => request.destroy(), LINGER_MILLIS)
  request.on('end', () => response.end())
  request.on('close', () => clearTimeout(timer))
  request.on('error', () => {}) // The client went away; it has its answer.
  request.resume()
}
