import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PostgresServer, startPostgres } from '../postgres.ts'
import { type RunningReceiver, startReceiver } from '../receiver.ts'
import { TcpProxy } from './tcp-proxy.ts'

const DISK_MEGABYTES = 6_144

/** Three receivers on one PostgreSQL, with a proxy in front of each and one in front of the database. */
export class World {
  readonly receivers: readonly ReplaceableReceiver[]
  readonly postgres: PostgresServer
  readonly postgresProxy: TcpProxy
  readonly databaseUrl: string
  /** Where the database's files are, when that is a file system of their own, which can be filled. */
  readonly disk: string | null
  readonly #directory: string

  private constructor(
    parts: Pick<World, 'receivers' | 'postgres' | 'postgresProxy' | 'databaseUrl' | 'disk'>,
    directory: string,
  ) {
    this.receivers = parts.receivers
    this.postgres = parts.postgres
    this.postgresProxy = parts.postgresProxy
    this.databaseUrl = parts.databaseUrl
    this.disk = parts.disk
    this.#directory = directory
  }

  static async start(receivers: number): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), 'agentic-hooks-chaos-'))
    const disk = mountDisk(directory)
    const postgres = await onDisk(disk, () => startPostgres({ settings: { max_wal_size: '256MB' } }))
    const databaseUrl = await postgres.createDatabase()
    const postgresProxy = await TcpProxy.start(Number(new URL(databaseUrl).port))
    const proxied = new URL(databaseUrl)
    proxied.port = String(postgresProxy.port)
    const started = []
    for (let index = 1; index <= receivers; index++) {
      // The last one has a spool: it acknowledges while the database is away, and owes what it acknowledged.
      const env: Record<string, string> = { DATABASE_URL: proxied.href }
      if (index === receivers) env.SPOOL_DIR = join(directory, 'spool')
      started.push(await ReplaceableReceiver.start(`receiver ${index}`, env))
    }
    return new World({ receivers: started, postgres, postgresProxy, databaseUrl, disk }, directory)
  }

  async stop(): Promise<void> {
    for (const receiver of this.receivers) await receiver.stop()
    this.postgresProxy.stop()
    await this.postgres.stop()
    if (this.disk) execFileSync('umount', ['--lazy', this.disk])
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** A receiver that agents reach at an address that stays, whichever process answers there. */
export class ReplaceableReceiver {
  readonly name: string
  readonly proxy: TcpProxy
  readonly #env: Readonly<Record<string, string>>
  #process: RunningReceiver

  private constructor(
    name: string,
    env: Readonly<Record<string, string>>,
    process: RunningReceiver,
    proxy: TcpProxy,
  ) {
    this.name = name
    this.#env = env
    this.#process = process
    this.proxy = proxy
  }

  static async start(name: string, env: Readonly<Record<string, string>>): Promise<ReplaceableReceiver> {
    const process = await startReceiver({ env })
    return new ReplaceableReceiver(name, env, process, await TcpProxy.start(portOf(process)))
  }

  get url(): string {
    return `http://127.0.0.1:${this.proxy.port}`
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#process.exited
  }

  /** SIGTERM, as an orchestrator does it, and the end that the process chooses. */
  async terminate(): Promise<void> {
    await this.#process.stop()
  }

  async startAgain(): Promise<void> {
    this.#process = await startReceiver({ env: this.#env })
    this.proxy.retarget(portOf(this.#process))
  }

  async stop(): Promise<void> {
    await this.#process.stop()
    this.proxy.stop()
  }
}

function portOf({ url }: RunningReceiver): number {
  return Number(new URL(url).port)
}

/** A small file system in memory, which only root may mount; without it the disk is never full. */
function mountDisk(directory: string): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m,mode=1777`, 'tmpfs', directory], {
      stdio: 'ignore',
    })
    return directory
  } catch {
    return null
  }
}

async function onDisk<T>(disk: string | null, start: () => Promise<T>): Promise<T> {
  const { TMPDIR } = process.env
  if (disk) process.env.TMPDIR = disk
  try {
    return await start()
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  }
}
