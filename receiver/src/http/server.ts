import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type https from 'node:https'
import net, { type AddressInfo, type Socket } from 'node:net'
import type { Logger } from 'pino'
import type { Config } from '../config/options.ts'
import { oneByOne } from './pipelining.ts'
import { createTlsServer, tlsFilesOf, watchTlsFiles } from './tls.ts'

/** How often Node looks for connections past headersTimeout and requestTimeout. */
const CHECK_CONNECTIONS_MILLIS = 1_000
/** After stop(), connections that had no request for so long are closed. */
const IDLE_CLOSE_MILLIS = 500

export type ServerOptions = Pick<
  Config,
  | 'maxConnections'
  | 'maxPipelinedRequests'
  | 'headersTimeoutMillis'
  | 'requestTimeoutMillis'
  | 'keepAliveTimeoutMillis'
  | 'tlsCertFile'
  | 'tlsKeyFile'
  | 'tlsClientCaFile'
>

/**
 * A listening HTTP or HTTPS server that can stop without losing an answer. It is open until `stop()`; then it
 * takes no new connection, answers every request on the open ones with `Connection: close`, and closes those
 * that stay idle.
 */
export class Server {
  readonly #server: http.Server | https.Server
  readonly #scheme: 'http' | 'https'
  readonly #unwatchTlsFiles: () => void
  readonly #unanswered = new Set<ServerResponse>()
  /** Of those, the ones whose answer was ready at the last look, and when that was first seen. */
  #unread = new Map<ServerResponse, number>()
  readonly #answerTimeoutMillis: number
  /** Connections without a request so far, which Node does not count among the idle ones. */
  readonly #silent = new Set<Socket>()
  #stopping = false

  /** @throws ConfigError when a TLS file cannot be used */
  constructor(listener: RequestListener, options: ServerOptions, log: Logger) {
    const tlsFiles = tlsFilesOf(options)
    const settings = {
      headersTimeout: options.headersTimeoutMillis,
      requestTimeout: options.requestTimeoutMillis,
      keepAliveTimeout: options.keepAliveTimeoutMillis,
      connectionsCheckingInterval: CHECK_CONNECTIONS_MILLIS,
      requireHostHeader: false, // It is checked with the rest of Host, and answered as the route answers.
    }
    const track = oneByOne((request, response) => {
      this.#track(request, response)
      listener(request, response)
    }, options.maxPipelinedRequests)
    if (tlsFiles) {
      const server = createTlsServer(settings, tlsFiles, track)
      this.#unwatchTlsFiles = watchTlsFiles(server, tlsFiles, log)
      this.#server = server
    } else {
      this.#unwatchTlsFiles = () => {}
      this.#server = http.createServer(settings, track)
    }
    // Without a listener Node tells every client to send its body.
    this.#server.on('checkContinue', track)
    // A client that has sent everything may close its side; it still reads. Not in Node's types.
    Object.assign(this.#server, { httpAllowHalfOpen: true })
    this.#answerTimeoutMillis = options.requestTimeoutMillis
    this.#scheme = tlsFiles ? 'https' : 'http'
    this.#server.maxConnections = options.maxConnections
    this.#server.on(tlsFiles ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#silent.add(socket)
      socket.on('close', () => this.#silent.delete(socket))
    })
  }

  /** Resolves to the URL that it listens on. */
  listen(port: number, host: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ port, host }, () => {
        this.#server.off('error', reject)
        // Only now: a server that cannot listen is never closed, and its timer would hold the process.
        const timer = setInterval(() => this.#check(), CHECK_CONNECTIONS_MILLIS)
        this.#server.once('close', () => clearInterval(timer))
        const { address, family, port: actualPort } = this.#server.address() as AddressInfo
        resolve(`${this.#scheme}://${family === 'IPv6' ? `[${address}]` : address}:${actualPort}`)
      })
    })
  }

  /** Resolves when every connection is closed. Safe to call before listen() and twice. */
  async stop(): Promise<void> {
    this.#unwatchTlsFiles()
    if (this.#stopping || !this.#server.listening) return
    this.#stopping = true
    for (const response of this.#unanswered) response.shouldKeepAlive = false
    await new Promise<void>((resolve) => {
      // http.Server.close() would also close idle connections at once, on which a request may be under way.
      net.Server.prototype.close.call(this.#server, () => resolve())
      const timer = setInterval(() => this.#closeIdle(), IDLE_CLOSE_MILLIS)
      this.#server.once('close', () => clearInterval(timer))
    })
  }

  /** Ends what stop() still waits for. */
  closeAllConnections(): void {
    this.#server.closeAllConnections()
  }

  #closeIdle(): void {
    this.#server.closeIdleConnections()
    for (const socket of this.#silent) socket.destroy()
  }

  #check(): void {
    this.#closeUnread()
    for (const response of this.#unanswered) if (!response.headersSent) probe(response)
  }

  /** A client has as long to read its answer as it had to send its request. */
  #closeUnread(): void {
    const now = performance.now()
    const ready = [...this.#unanswered].filter((response) => response.writableEnded)
    this.#unread = new Map(ready.map((response) => [response, this.#unread.get(response) ?? now]))
    for (const [response, since] of this.#unread)
      if (now - since > this.#answerTimeoutMillis) response.destroy()
  }

  #track(request: IncomingMessage, response: ServerResponse): void {
    this.#silent.delete(request.socket)
    if (this.#stopping) response.shouldKeepAlive = false
    this.#unanswered.add(response)
    response.on('close', () => this.#unanswered.delete(response))
  }
}

/**
 * A client that is gone looks like one that has only closed its side, until something is sent to it: then its system
 * answers with a reset. A client that is there passes over a `100 Continue`.
 */
function probe(response: ServerResponse): void {
  const { httpVersion } = response.req
  if (response.socket?.readableEnded && httpVersion === '1.1') response.writeContinue()
}
