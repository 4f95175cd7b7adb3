import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { FILE_MODE, type FileSystem, hasCode, type OpenFile, readRange, writeAll } from './file-system.ts'

/** A lock says so often that its owner lives, for those who cannot see the process. */
const HEARTBEAT_MILLIS = 10_000
/** Without a sign of life for so long, the lock of a process that we cannot see is stale. */
const STALE_MILLIS = 60_000

/** Who holds a lock; a process id alone comes back after a restart, in a container almost always. */
interface Owner {
  readonly token: string
  readonly pid: number
  readonly host: string
  /** Process ids compare only within one namespace: a container has its own. */
  readonly pidNamespace: string
  readonly bootId: string
  readonly processStart: string
}

interface Found {
  readonly owner: Partial<Owner>
  readonly ageMillis: number
}

/** Somebody else holds the lock. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
}

/**
 * A file that one process at a time may hold; Node has no flock.
 *
 * A holder that was killed leaves its file behind. It is stale when the process is gone, as far as it can be
 * seen from here, and else (another machine or container on the same volume) after a minute without a
 * heartbeat. Only one taker can replace a stale lock, because that needs the lock named after its token.
 */
export class FileLock {
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #owner: Owner
  #file: OpenFile
  readonly #heartbeat: NodeJS.Timeout
  #beating: Promise<void> | null = null
  #lost = false

  private constructor(fileSystem: FileSystem, path: string, owner: Owner, file: OpenFile) {
    this.#fileSystem = fileSystem
    this.#path = path
    this.#owner = owner
    this.#file = file
    this.#heartbeat = setInterval(() => {
      this.#beating = this.#beat()
    }, HEARTBEAT_MILLIS).unref()
  }

  /** @throws LockedError that names the holder */
  static async acquire(fileSystem: FileSystem, path: string): Promise<FileLock> {
    const owner: Owner = { token: randomUUID(), ...thisProcess() }
    const file = await createExclusive(fileSystem, path, owner)
    if (file) return new FileLock(fileSystem, path, owner, file)
    const found = await read(fileSystem, path)
    // Gone since we tried to create it: whoever is quicker has it.
    if (!found) return FileLock.acquire(fileSystem, path)
    if (isAlive(found)) throw lockedError(path, found)
    return FileLock.#takeOver(fileSystem, path, found, owner)
  }

  static async #takeOver(
    fileSystem: FileSystem,
    path: string,
    stale: Found,
    owner: Owner,
  ): Promise<FileLock> {
    const { token } = stale.owner
    const takeover = await FileLock.acquire(fileSystem, `${path}.${token}`)
    try {
      const found = await read(fileSystem, path)
      if (!found || found.owner.token !== token) throw lockedError(path, found ?? stale)
      const replacement = `${path}.${owner.token}`
      const file = await createExclusive(fileSystem, replacement, owner)
      await fileSystem.rename(replacement, path)
      return new FileLock(fileSystem, path, owner, file!)
    } finally {
      await takeover.release()
    }
  }

  /** Whether another process took the lock over, because this one was suspended for too long. */
  get lost(): boolean {
    return this.#lost
  }

  async release(): Promise<void> {
    clearInterval(this.#heartbeat)
    await this.#beating
    await this.#file.close()
    if (!this.#lost) await this.#fileSystem.unlink(this.#path).catch(() => {})
  }

  async #beat(): Promise<void> {
    try {
      const found = await read(this.#fileSystem, this.#path)
      if (found) this.#lost = found.owner.token !== this.#owner.token
      else await this.#createAgain()
      const now = new Date()
      if (!this.#lost) await this.#file.utimes(now, now)
    } catch {
      // A disk in trouble makes no other process the holder.
    }
  }

  /** After someone deleted the file, as `git clean` does. */
  async #createAgain(): Promise<void> {
    const file = await createExclusive(this.#fileSystem, this.#path, this.#owner)
    if (!file) return
    await this.#file.close()
    this.#file = file
  }
}

async function createExclusive(fileSystem: FileSystem, path: string, owner: Owner): Promise<OpenFile | null> {
  let file: OpenFile
  try {
    file = await fileSystem.open(path, 'wx', FILE_MODE)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return null
    throw error
  }
  try {
    await writeAll(file, [Buffer.from(JSON.stringify(owner))])
    return file
  } catch (error) {
    // On a full disk: a lock that does not say whose it is would keep everybody out.
    await fileSystem.unlink(path).catch(() => {})
    await file.close()
    throw error
  }
}

async function read(fileSystem: FileSystem, path: string): Promise<Found | null> {
  try {
    const file = await fileSystem.open(path, 'r')
    try {
      const { size, mtimeMs } = await file.stat()
      return { owner: parse(await readRange(file, 0, size)), ageMillis: Date.now() - mtimeMs }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

/** Nothing is known about the owner of a lock that is only just being written, or was when the power failed. */
function parse(content: Buffer): Partial<Owner> {
  try {
    return JSON.parse(content.toString())
  } catch {
    return {}
  }
}

function isAlive({ owner, ageMillis }: Found): boolean {
  const here = thisProcess()
  const visible = owner.host === here.host && owner.pidNamespace === here.pidNamespace
  if (!visible) return ageMillis < STALE_MILLIS
  return owner.bootId === here.bootId && isRunning(owner)
}

function isRunning({ pid, processStart }: Partial<Owner>): boolean {
  try {
    process.kill(pid!, 0)
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
  }
  return startOf(pid!) === processStart
}

function lockedError(path: string, { owner, ageMillis }: Found): LockedError {
  const age = Math.max(0, Math.round(ageMillis / 1000))
  return new LockedError(
    `${path} is held by process ${owner.pid ?? '?'} on ${owner.host ?? '?'} (last sign of life ${age} s ago). ` +
      'Stop that process or use another path; the lock of a process that is gone is taken over' +
      ` after at most ${STALE_MILLIS / 1000} s.`,
  )
}

function thisProcess(): Omit<Owner, 'token'> {
  return {
    pid: process.pid,
    host: hostname(),
    pidNamespace: orEmpty(() => readlinkSync('/proc/self/ns/pid')),
    bootId: orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    processStart: startOf(process.pid),
  }
}

/** In clock ticks since boot; empty for a process that only waits to be reaped, and where there is no /proc. */
function startOf(pid: number): string {
  return orEmpty(() => {
    // The name in parentheses may hold blanks and parentheses; what follows begins with the state.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' ? '' : fields[19]!
  })
}

function orEmpty(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
