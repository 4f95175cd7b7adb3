import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Connection {
  /** Those that wait until the answer before them is on its way to the client. */
  readonly waiting: [IncomingMessage, ServerResponse][]
  isBusy: boolean
  /** Closed after the answer to the last one that waits. */
  isFull: boolean
}

/**
 * Handles the requests of a connection one after the other, the next when the answer before it has left for the client.
 * Nothing more is read from the connection meanwhile, so that a client that reads no answers gets no further ones.
 *
 * Node has parsed all requests in 64 KiB before the first is handled. Of those at most `maxWaiting` are kept; after the
 * answer to the last of them the connection is closed, as HTTP/1.1 allows, and the client sends the rest again.
 */
export function oneByOne(listener: RequestListener, maxWaiting: number): RequestListener {
  const connections = new WeakMap<Socket, Connection>()

  const start = (connection: Connection, request: IncomingMessage, response: ServerResponse): void => {
    connection.isBusy = true
    response.on('close', () => {
      connection.isBusy = false
      const next = request.socket.destroyed ? undefined : connection.waiting.shift()
      if (!next) return
      if (connection.waiting.length === 0) request.socket.resume()
      start(connection, ...next)
    })
    listener(request, response)
  }

  return (request, response) => {
    const { socket } = request
    let connection = connections.get(socket)
    if (!connection) {
      connection = { waiting: [], isBusy: false, isFull: false }
      connections.set(socket, connection)
    }
    if (!connection.isBusy) {
      start(connection, request, response)
    } else if (connection.waiting.length < maxWaiting && !connection.isFull) {
      connection.waiting.push([request, response])
      socket.pause()
    } else if (!connection.isFull) {
      connection.isFull = true
      const [, last] = connection.waiting.at(-1)!
      last.shouldKeepAlive = false
    }
  }
}
