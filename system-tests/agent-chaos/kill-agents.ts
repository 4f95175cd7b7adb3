import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { HookClient } from '@agentic-hooks/instrumentation'
import { execute, freePort } from '@agentic-hooks/testing/postgres'
import { Random } from '@agentic-hooks/testing/random'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { runAgent } from '@agentic-hooks/testing/run-agent'

export interface KillOptions {
  readonly kills: number
  /** The same seed kills after the same waits; when that is in terms of the agent's work differs. */
  readonly seed: number
  /** An empty database. */
  readonly databaseUrl: string
  /** An empty directory. */
  readonly directory: string
  readonly report?: (line: string) => void
}

export interface KillResult {
  readonly kills: number
  /** Events whose `emit` had returned. */
  readonly emitted: number
  readonly stored: number
  /** Of the emitted ones. There must be none. */
  readonly missing: readonly string[]
  /** Ids that are stored more than once. There must be none. */
  readonly duplicated: readonly string[]
}

const AGENTS_AT_ONCE = 3
const LONGEST_LIFE_MILLIS = 1500
/** More than an agent can emit in its life. */
const EVENTS = 1_000_000

/**
 * Agents with `durability: 'disk'` and one spool are killed at random moments, while the receiver comes and goes.
 * In the end it is there, one more process delivers what they left, and the database is compared with what they
 * had emitted.
 */
export async function killAgents(options: KillOptions): Promise<KillResult> {
  const { kills, seed, databaseUrl, directory, report = () => {} } = options
  const random = new Random(seed)
  const port = String(await freePort())
  const spool = join(directory, 'spool')
  const endpoint = `http://127.0.0.1:${port}`
  const start = () =>
    startReceiver({
      env: { PORT: port, DATABASE_URL: databaseUrl, STORAGE_TYPE: 'postgres' },
      cwd: directory,
    })

  const emitted: string[] = []
  let receiver: RunningReceiver | null = await start()
  try {
    for (let killed = 0; killed < kills; ) {
      if (random.next() < 0.3) {
        if (receiver) await receiver.stop()
        receiver = receiver ? null : await start()
      }
      const count = Math.min(AGENTS_AT_ONCE, kills - killed)
      const lives = Array.from({ length: count }, () => random.between(1, LONGEST_LIFE_MILLIS))
      const ids = await Promise.all(
        lives.map((millis) => liveAndDie({ endpoint, spool }, random.between(0, 3), millis)),
      )
      emitted.push(...ids.flat())
      killed += count
      report(`${killed} killed, receiver ${receiver ? 'up' : 'down'}, ${emitted.length} events emitted`)
    }
    receiver ??= await start()
    await deliverRest({ endpoint, spool })
    return { kills, emitted: emitted.length, ...(await compare(databaseUrl, emitted)) }
  } finally {
    await receiver?.stop()
  }
}

interface Destination {
  readonly endpoint: string
  readonly spool: string
}

/** The ids of the events whose `emit` returned before the process was killed. */
async function liveAndDie(
  destination: Destination,
  pauseMillis: number,
  millis: number,
): Promise<readonly string[]> {
  const { child, ended } = runAgent({
    options: { ...destination, durability: 'disk', flushIntervalMillis: 50 },
    events: EVENTS,
    printIds: true,
    pauseMillis,
  })
  // Counted from its first word: before that it has nothing to lose.
  await Promise.race([new Promise((resolve) => child.stdout?.once('data', resolve)), ended])
  setTimeout(() => child.kill('SIGKILL'), millis)
  const { ids, signal, stderr } = await ended
  if (signal !== 'SIGKILL') throw new Error(`the agent ended by itself: ${stderr}`)
  return ids
}

async function deliverRest({ endpoint, spool }: Destination): Promise<void> {
  while (readdirSync(spool).length > 0) {
    const client = new HookClient({ endpoint, spool, shutdownTimeoutMillis: 30_000 })
    await client.close()
  }
}

async function compare(databaseUrl: string, emitted: readonly string[]) {
  const rows = await execute(
    databaseUrl,
    'SELECT event_id::text AS id, count(*)::int AS copies FROM hook_events GROUP BY 1',
  )
  const copies = new Map(rows.map(({ id, copies }) => [id as string, copies as number]))
  return {
    stored: rows.length,
    missing: emitted.filter((id) => !copies.has(id)),
    duplicated: [...copies].filter(([, count]) => count > 1).map(([id]) => id),
  }
}
