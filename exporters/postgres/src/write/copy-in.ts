import type { Connection, Submittable } from 'pg'

/** What binary COPY begins with: signature, no flags, no header extension; and ends with. */
const COPY_HEADER = message('d', Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1'))
const COPY_END = Buffer.concat([message('d', Buffer.from([0xff, 0xff])), message('c', Buffer.alloc(0))])

/**
 * One simple query with a binary COPY in it, sent in one write: the query, the rows and the end, without
 * waiting for the server to ask for them. When the query fails early, the server skips the rows that are
 * already on their way (PostgreSQL manual, "COPY Operations").
 * node-postgres calls the methods as the answers arrive.
 */
export class CopyIn implements Submittable {
  readonly #sql: string
  readonly #rows: Uint8Array
  readonly #resolve: (returned: string[]) => void
  readonly #reject: (error: Error) => void
  readonly #returned: string[] = []
  #failed = false

  /**
   * @param sql one COPY FROM STDIN, perhaps with other statements: all of them are one transaction
   * @param rows one CopyData message, or several
   * @param resolve called after the commit with the first column of whatever the statements return
   */
  constructor(
    sql: string,
    rows: Uint8Array,
    resolve: (returned: string[]) => void,
    reject: (error: Error) => void,
  ) {
    this.#sql = sql
    this.#rows = rows
    this.#resolve = resolve
    this.#reject = reject
  }

  submit({ stream }: Connection): void {
    stream.cork()
    stream.write(message('Q', Buffer.from(`${this.#sql}\0`)))
    stream.write(COPY_HEADER)
    stream.write(this.#rows)
    stream.write(COPY_END)
    stream.uncork()
  }

  handleDataRow({ fields }: { fields: string[] }): void {
    this.#returned.push(fields[0] ?? '')
  }

  handleError(error: Error): void {
    this.#failed = true
    this.#reject(error)
  }

  handleReadyForQuery(): void {
    if (!this.#failed) this.#resolve(this.#returned)
  }

  handleCopyInResponse(): void {}
  handleRowDescription(): void {}
  handleCommandComplete(): void {}
}

/** A message of the wire protocol: its type, its length and its body. */
function message(type: string, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(5 + body.byteLength)
  bytes.write(type, 0, 'latin1')
  bytes.writeInt32BE(4 + body.byteLength, 1)
  bytes.set(body, 5)
  return bytes
}
