import type { IncomingMessage } from 'node:http'

/** The type in Content-Type without its parameters, in lower case; empty when there is none. */
export function mediaType(request: IncomingMessage): string {
  const contentType = request.headers['content-type'] ?? ''
  const semicolon = contentType.indexOf(';')
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
}
