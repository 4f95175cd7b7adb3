import { connect, type Socket } from 'node:net'

const READ_BUFFER_BYTES = 64 * 1024
/** Shared by all connections: what was read is consumed, or copied, before the next read. */
const readBuffer = Buffer.allocUnsafe(READ_BUFFER_BYTES)
const HEAD_END = Buffer.from('\r\n\r\n')
const NOTHING = Buffer.alloc(0)

export interface Response {
  readonly status: number
  /** Valid only until the next read. */
  readonly body: Buffer
}

export interface ConnectionEvents {
  answered(connection: Connection, response: Response): void
  /** The connection is of no use any more; when a request was in flight, its answer is lost. */
  closed(connection: Connection): void
}

/**
 * One kept-alive HTTP/1.1 connection with at most one request in flight. Raw sockets cost a fraction of
 * node:http's client (docs/decisions/0060-load-generator.md), and the generator must be much cheaper than
 * what it drives.
 */
export class Connection {
  readonly agent: number
  readonly #socket: Socket
  readonly #events: ConnectionEvents
  /** The beginning of an answer whose rest has not arrived. */
  #partial: Buffer = NOTHING

  private constructor(agent: number, target: URL, events: ConnectionEvents) {
    this.agent = agent
    this.#events = events
    this.#socket = connect({
      // URL keeps the brackets of an IPv6 address, connect wants none.
      host: target.hostname.replace(/^\[|\]$/g, ''),
      port: Number(target.port) || 80,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          this.#read(readBuffer.subarray(0, length))
          return true
        },
      },
    })
  }

  /** @param agent the number of the agent that it speaks for */
  static open(agent: number, target: URL, events: ConnectionEvents): Promise<Connection> {
    const connection = new Connection(agent, target, events)
    return new Promise((resolve, reject) => {
      let opened = false
      connection.#socket
        .on('connect', () => {
          opened = true
          resolve(connection)
        })
        .on('error', (error) => reject(new Error(`cannot connect to ${target.host}: ${error.message}`)))
        .on('close', () => opened && events.closed(connection))
    })
  }

  /** `flushed` is called once the bytes are with the kernel and may be overwritten. */
  send(request: Buffer, flushed: () => void): void {
    this.#socket.write(request, flushed)
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(bytes: Buffer): void {
    const received = this.#partial.length ? Buffer.concat([this.#partial, bytes]) : bytes
    const response = parseResponse(received)
    this.#partial = response ? NOTHING : Buffer.from(received)
    if (response === 'invalid') this.close()
    else if (response) this.#events.answered(this, response)
  }
}

/** The response that the bytes are; null when its end is missing; invalid when its length cannot be known. */
export function parseResponse(bytes: Buffer): Response | 'invalid' | null {
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd === -1) return null
  const head = bytes.toString('latin1', 0, headEnd + 2)
  const status = Number(head.slice(9, 12))
  const body = bytes.subarray(headEnd + HEAD_END.length)
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1]
  if (length) return body.length < Number(length) ? null : { status, body: body.subarray(0, Number(length)) }
  if (status === 204) return { status, body: NOTHING }
  if (!/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) return 'invalid'
  const chunks = parseChunks(body)
  return chunks && { status, body: chunks }
}

function parseChunks(bytes: Buffer): Buffer | null {
  const chunks: Buffer[] = []
  for (let offset = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', offset)
    if (lineEnd === -1) return null
    const size = Number.parseInt(bytes.toString('latin1', offset, lineEnd), 16)
    const start = lineEnd + 2
    if (bytes.length < start + size + 2) return null
    if (size === 0) return Buffer.concat(chunks)
    chunks.push(bytes.subarray(start, start + size))
    offset = start + size + 2
  }
}
