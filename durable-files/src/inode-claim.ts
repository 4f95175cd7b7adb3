import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { hasCode } from './file-system.ts'
import { LockedError } from './lock.ts'

/** A holder answers at once; one that is stopped does not. */
const ANSWER_TIMEOUT_MILLIS = 1_000

/**
 * The claim of a file by its inode, whatever name it was opened by: a lock beside the file cannot tell of another hard
 * link to it. On Linux it is an abstract socket, which the kernel takes back when its holder ends; among processes of
 * one network namespace. Elsewhere nothing is claimed.
 */
export class InodeClaim {
  readonly #device: number
  readonly #inode: number
  readonly #server: Server | null

  private constructor(device: number, inode: number, server: Server | null) {
    this.#device = device
    this.#inode = inode
    this.#server = server
  }

  /**
   * @param path for the message
   * @throws LockedError that names the holder
   */
  static async acquire(device: number, inode: number, path: string): Promise<InodeClaim> {
    const name = `\0agentic-hooks-file-${device}-${inode}`
    if (process.platform !== 'linux') return new InodeClaim(device, inode, null)
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end(String(process.pid))
    }).unref()
    try {
      server.listen(name)
      await once(server, 'listening')
      return new InodeClaim(device, inode, server)
    } catch (error) {
      // A sandbox may allow no sockets; the lock of the path remains.
      if (!hasCode(error, 'EADDRINUSE')) return new InodeClaim(device, inode, null)
      throw new LockedError(
        `${path} is written to by process ${await holderOf(name)} under another name (a hard link). ` +
          'Stop that process or use another path.',
      )
    }
  }

  covers(device: number, inode: number): boolean {
    return device === this.#device && inode === this.#inode
  }

  async release(): Promise<void> {
    if (!this.#server) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}

async function holderOf(name: string): Promise<string> {
  const socket = connect({ path: name, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MILLIS) })
  try {
    return (await text(socket)).replace(/\D/g, '').slice(0, 10) || '?'
  } catch {
    return '?'
  }
}
