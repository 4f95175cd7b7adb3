import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'

export interface HttpRequest {
  /** Default: POST. */
  readonly method?: string
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: Uint8Array | string
  /** Without Content-Length, in chunks. */
  readonly chunked?: boolean
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const CHUNK_BYTES = 16 * 1024

/** Sends exactly what is asked for, on a connection of its own; no header is added but Host and the length. */
export function send(
  url: string,
  { method = 'POST', path, headers = {}, body, chunked }: HttpRequest,
  agent: http.Agent | false = false,
): Promise<HttpAnswer> {
  const bytes = body === undefined ? undefined : Buffer.from(body)
  const length = bytes && !chunked ? { 'content-length': bytes.byteLength } : {}
  return new Promise((resolve, reject) => {
    const request = http.request(url + path, { method, agent, headers: { ...length, ...headers } })
    let answered = false
    request.on('response', (response) => {
      answered = true
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      )
    })
    request.on('error', (error) => {
      // A server may answer and close before it has read everything.
      if (!answered) reject(error)
    })
    for (let offset = 0; chunked && bytes && offset < bytes.byteLength; offset += CHUNK_BYTES) {
      request.write(bytes.subarray(offset, offset + CHUNK_BYTES))
    }
    request.end(chunked ? undefined : bytes)
  })
}

export function json(answer: HttpAnswer): unknown {
  return JSON.parse(answer.body.toString())
}
