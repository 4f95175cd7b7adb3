import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { TcpProxy } from '@agentic-hooks/testing/tcp-proxy'
import type { Acknowledgement } from './agents.ts'
import { Balancer, SERVER_HEADER } from './balancer.ts'
import { DatabaseRecovery } from './database-recovery.ts'
import { FillableDisk } from './disk.ts'

const START_TIMEOUT_MILLIS = 30_000
const RESTART_MILLIS = 200

export interface WorldOptions {
  readonly receivers: number
  /** HAProxy in front of the receivers, the only address that agents know. */
  readonly balanced: boolean
}

type Parts = Pick<World, 'receivers' | 'postgres' | 'postgresProxy' | 'databaseUrl' | 'disk' | 'balancer'>

/**
 * Receivers on one PostgreSQL, with a proxy in front of each and one in front of the database. The last receiver
 * has a spool: it acknowledges while the database is away, and owes what it acknowledged.
 */
export class World {
  readonly receivers: readonly ReplaceableReceiver[]
  readonly postgres: PostgresServer
  readonly postgresProxy: TcpProxy
  readonly databaseUrl: string
  /** Where the files of the database and the spool are, if it can be filled. */
  readonly disk: FillableDisk | null
  readonly balancer: Balancer | null
  readonly recovery = new DatabaseRecovery()
  readonly #directory: string

  private constructor(parts: Parts, directory: string) {
    this.receivers = parts.receivers
    this.postgres = parts.postgres
    this.postgresProxy = parts.postgresProxy
    this.databaseUrl = parts.databaseUrl
    this.disk = parts.disk
    this.balancer = parts.balancer
    this.#directory = directory
  }

  static async start({ receivers: count, balanced }: WorldOptions): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), 'agentic-hooks-chaos-'))
    const disk = FillableDisk.mount(directory)
    const postgres = await onDisk(disk, () => startPostgres({ settings: { max_wal_size: '256MB' } }))
    const databaseUrl = await postgres.createDatabase()
    const postgresProxy = await TcpProxy.start(Number(new URL(databaseUrl).port))
    const proxied = new URL(databaseUrl)
    proxied.port = String(postgresProxy.port)
    const receivers = []
    for (let number = 1; number <= count; number++) {
      const env = {
        DATABASE_URL: proxied.href,
        ...(number === count && { SPOOL_DIR: join(directory, 'spool') }),
      }
      receivers.push(await ReplaceableReceiver.start(`receiver-${number}`, env))
    }
    const balancer = balanced ? await Balancer.start(receivers) : null
    return new World({ receivers, postgres, postgresProxy, databaseUrl, disk, balancer }, directory)
  }

  /** Where agents may send to. */
  get urls(): readonly string[] {
    return this.balancer ? [this.balancer.url] : this.receivers.map(({ url }) => url)
  }

  /** Told of what agents hear, so that it knows when PostgreSQL stores again. */
  acknowledged({ url, headers, sentAt }: Acknowledgement): void {
    const server = headers.get(SERVER_HEADER)
    const from = this.receivers.find((receiver) => receiver.name === server || receiver.url === url)
    if (!from) throw new Error(`no receiver at ${url} is called ${server}`)
    if (!from.spools) this.recovery.committed(sentAt)
  }

  async killDatabase(): Promise<void> {
    await this.postgres.kill()
    this.recovery.down()
  }

  async startDatabase(): Promise<void> {
    this.recovery.starting()
    await this.postgres.start()
  }

  async stop(): Promise<void> {
    await this.balancer?.stop()
    for (const receiver of this.receivers) await receiver.stop()
    this.postgresProxy.stop()
    await this.postgres.stop()
    this.disk?.unmount()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** A receiver that is reached at an address that stays, whichever process answers there. */
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

  get port(): number {
    return this.proxy.port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Whether it may acknowledge what is not in PostgreSQL yet. */
  get spools(): boolean {
    return this.#env.SPOOL_DIR !== undefined
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

  /** As an orchestrator does it: again and again, since a receiver may find no room for its lock. */
  async startAgain(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MILLIS
    for (;;) {
      try {
        this.#process = await startReceiver({ env: this.#env })
        this.proxy.retarget(portOf(this.#process))
        return
      } catch (error) {
        if (performance.now() > deadline) throw error
        await sleep(RESTART_MILLIS)
      }
    }
  }

  async stop(): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
    this.proxy.stop()
  }
}

function portOf({ url }: RunningReceiver): number {
  return Number(new URL(url).port)
}

/** The database puts its files where temporary ones go. */
async function onDisk<T>(disk: FillableDisk | null, start: () => Promise<T>): Promise<T> {
  const { TMPDIR } = process.env
  if (disk) process.env.TMPDIR = disk.path
  try {
    return await start()
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  }
}
