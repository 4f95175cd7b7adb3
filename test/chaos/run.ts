import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { Random } from '../random.ts'
import { Agents } from './agents.ts'
import { chooseFault } from './faults.ts'
import { World } from './world.ts'

const RECEIVERS = 3
const SETTLE_TIMEOUT_MILLIS = 90_000
const RECOVERY_TIMEOUT_MILLIS = 60_000
const POLL_MILLIS = 20

export interface ChaosOptions {
  readonly seed: number
  /** Faults come until this is over, or `faults` of them have come. */
  readonly durationMillis: number
  readonly faults?: number
  readonly agents?: number
  readonly eventsPerSecond?: number
  readonly report: (line: string) => void
}

/** What the run found. It passed when `lost`, `duplicated` and `unknown` are empty. */
export interface ChaosResult {
  readonly acknowledged: number
  readonly stored: number
  /** Acknowledged, and not in PostgreSQL. */
  readonly lost: readonly string[]
  /** In PostgreSQL more than once. */
  readonly duplicated: readonly string[]
  /** In PostgreSQL, and sent by no agent. */
  readonly unknown: readonly string[]
  /** Stored although the agent never had its answer: the answer was lost on the way. */
  readonly storedUnanswered: number
  readonly attempts: Readonly<Record<string, number>>
  readonly kills: number
  /** From the end of each fault until the next acknowledgement. */
  readonly recoveryMillis: readonly number[]
}

/**
 * Agents emit known ids through three receivers into one PostgreSQL while things go wrong as the seed wants
 * it; at the end what was acknowledged is compared with what is stored.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, report, durationMillis, faults = Number.POSITIVE_INFINITY } = options
  const random = new Random(seed)
  const world = await World.start(RECEIVERS)
  if (!world.disk) report('the disk will not be full in this run: only root on Linux can mount one to fill')
  const agents = new Agents({
    count: options.agents ?? 20,
    eventsPerSecond: options.eventsPerSecond ?? 2_000,
    urls: world.receivers.map(({ url }) => url),
    random: new Random(seed + 1),
  })
  try {
    const startedAt = performance.now()
    const recoveryMillis: number[] = []
    let kills = 0
    for (let count = 0; count < faults && performance.now() - startedAt < durationMillis; count++) {
      const fault = chooseFault(world, random)
      const second = random.next() < 0.3 ? chooseFault(world, random) : fault
      const together = second.subject === fault.subject ? [fault] : [fault, second]
      report(`${seconds(startedAt)} ${together.map(({ name }) => name).join(' and ')}`)
      await Promise.all(together.map((one) => one.run()))
      kills += together.filter((one) => one.kills).length
      recoveryMillis.push(await untilAcknowledged(agents))
      await sleep(random.between(0, 500))
    }
    report(`${seconds(startedAt)} no more faults; every agent has its last batch acknowledged`)
    await settle(agents)
    const found = await compare(world, agents)
    return { ...found, attempts: Object.fromEntries(agents.ledger.attempts), kills, recoveryMillis }
  } finally {
    await agents.abandon()
    await world.stop()
  }
}

async function untilAcknowledged({ ledger }: Agents): Promise<number> {
  const startedAt = performance.now()
  const before = ledger.acknowledged.size
  while (ledger.acknowledged.size === before) {
    await sleep(POLL_MILLIS)
    if (performance.now() - startedAt > RECOVERY_TIMEOUT_MILLIS) {
      throw new Error(`nothing was acknowledged within ${RECOVERY_TIMEOUT_MILLIS} ms after the fault`)
    }
  }
  return Math.round(performance.now() - startedAt)
}

async function settle(agents: Agents): Promise<void> {
  const timeout = sleep(SETTLE_TIMEOUT_MILLIS, 'late', { ref: false })
  if ((await Promise.race([agents.finish(), timeout])) === 'late') {
    throw new Error(
      `${agents.ledger.unanswered.size} events were still unanswered ${SETTLE_TIMEOUT_MILLIS} ms after the last fault`,
    )
  }
}

async function compare(world: World, { ledger }: Agents) {
  const deadline = performance.now() + SETTLE_TIMEOUT_MILLIS
  for (;;) {
    const stored = await storedIds(world.databaseUrl)
    const lost = [...ledger.acknowledged].filter((id) => !stored.has(id))
    // A spool may owe some for a while; nothing else may.
    if (lost.length > 0 && performance.now() < deadline) {
      await sleep(POLL_MILLIS * 10)
      continue
    }
    const ids = [...stored.keys()]
    return {
      acknowledged: ledger.acknowledged.size,
      stored: stored.size,
      lost,
      duplicated: ids.filter((id) => stored.get(id)! > 1),
      unknown: ids.filter((id) => !ledger.acknowledged.has(id) && !ledger.unanswered.has(id)),
      storedUnanswered: ids.filter((id) => ledger.unanswered.has(id)).length,
    }
  }
}

async function storedIds(databaseUrl: string): Promise<Map<string, number>> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ id: string; copies: string }>(
      'SELECT event_id AS id, count(*) AS copies FROM hook_events GROUP BY event_id',
    )
    return new Map(rows.map(({ id, copies }) => [id, Number(copies)]))
  } finally {
    await client.end()
  }
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1).padStart(6)} s `
}
