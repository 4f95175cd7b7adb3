import { setTimeout as sleep } from 'node:timers/promises'
import { execute } from '@agentic-hooks/testing/postgres'
import { Random } from '@agentic-hooks/testing/random'
import { Agents } from './agents.ts'
import { Balancer } from './balancer.ts'
import { chooseFault, KILL_DATABASE, KILL_RECEIVER } from './faults.ts'
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
  /** HAProxy between agents and receivers. Default: agents pick a receiver themselves. */
  readonly balanced?: boolean
  readonly report: (line: string) => void
}

/** What the run found. It passed when `lost`, `duplicated` and `unknown` are empty. */
export interface ChaosResult {
  readonly emitted: number
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
  /** How often each kind of fault came. */
  readonly faults: Readonly<Record<string, number>>
  /** Of the faults those that killed a process. */
  readonly kills: number
  /** How often agents had which answer, or the code of the error instead of one. */
  readonly attempts: Readonly<Record<string, number>>
  /** From the end of each fault until the next acknowledgement. */
  readonly recoveryMillis: readonly number[]
  /** From each start of the postmaster until the next acknowledgement that waited for its COMMIT. */
  readonly databaseRecoveryMillis: readonly number[]
  /** As in `Node 24.11.1, PostgreSQL 18.4`. */
  readonly software: string
  /** How often the balancer's health checks took a receiver out, by receiver and reason. */
  readonly takenOut: Readonly<Record<string, number>>
}

/**
 * Agents emit known ids through three receivers into one PostgreSQL while things go wrong as the seed wants
 * it; at the end what was acknowledged is compared with what is stored.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, report } = options
  const world = await World.start({ receivers: RECEIVERS, balanced: options.balanced ?? false })
  if (!world.disk) report('the disk will not be full in this run: only root on Linux can mount one to fill')
  const agents = new Agents({
    count: options.agents ?? 20,
    eventsPerSecond: options.eventsPerSecond ?? 2_000,
    urls: world.urls,
    random: new Random(seed + 1),
    onAcknowledged: (acknowledgement) => world.acknowledged(acknowledgement),
  })
  try {
    const wentWrong = await breakThings(world, agents, options)
    await settle(agents)
    const found = await compare(world, agents)
    return {
      ...found,
      ...wentWrong,
      kills: (wentWrong.faults[KILL_RECEIVER] ?? 0) + (wentWrong.faults[KILL_DATABASE] ?? 0),
      attempts: Object.fromEntries(agents.ledger.attempts),
      databaseRecoveryMillis: world.recovery.millis,
      software: await versions(world),
      takenOut: Object.fromEntries(world.balancer?.takenOut ?? []),
    }
  } finally {
    await agents.abandon()
    await world.stop()
  }
}

async function breakThings(world: World, agents: Agents, options: ChaosOptions) {
  const { seed, report, durationMillis, faults: mostFaults = Number.POSITIVE_INFINITY } = options
  const random = new Random(seed)
  const startedAt = performance.now()
  const faults: Record<string, number> = {}
  const recoveryMillis: number[] = []
  for (let count = 0; count < mostFaults && performance.now() - startedAt < durationMillis; count++) {
    const fault = chooseFault(world, random)
    const second = random.next() < 0.3 ? chooseFault(world, random) : fault
    const together = second.subject === fault.subject ? [fault] : [fault, second]
    report(`${seconds(startedAt)} ${together.map(({ name }) => name).join(' and ')}`)
    await Promise.all(together.map((one) => one.run()))
    for (const { kind } of together) faults[kind] = (faults[kind] ?? 0) + 1
    recoveryMillis.push(await untilRecovered(world, agents))
    await sleep(random.between(0, 500))
  }
  report(`${seconds(startedAt)} no more faults; every agent has its last batch acknowledged`)
  return { faults, recoveryMillis }
}

/** Resolves to how long it took until an agent had an acknowledgement, once PostgreSQL stores again too. */
async function untilRecovered(world: World, { ledger }: Agents): Promise<number> {
  const startedAt = performance.now()
  const before = ledger.acknowledged.size
  let recoveryMillis: number | null = null
  while (recoveryMillis === null || world.recovery.pending) {
    await sleep(POLL_MILLIS)
    const elapsedMillis = Math.round(performance.now() - startedAt)
    if (recoveryMillis === null && ledger.acknowledged.size > before) recoveryMillis = elapsedMillis
    if (elapsedMillis > RECOVERY_TIMEOUT_MILLIS) {
      const what = recoveryMillis === null ? 'acknowledged' : 'stored in PostgreSQL'
      throw new Error(`nothing was ${what} within ${RECOVERY_TIMEOUT_MILLIS} ms after the fault`)
    }
  }
  return recoveryMillis
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
      emitted: ledger.acknowledged.size + ledger.unanswered.size,
      acknowledged: ledger.acknowledged.size,
      stored: stored.size,
      lost,
      duplicated: ids.filter((id) => stored.get(id)! > 1),
      unknown: ids.filter((id) => !ledger.acknowledged.has(id) && !ledger.unanswered.has(id)),
      storedUnanswered: ids.filter((id) => ledger.unanswered.has(id)).length,
    }
  }
}

/** Each stored id, and how often it is there. */
async function storedIds(databaseUrl: string): Promise<Map<string, number>> {
  const rows = await execute(
    databaseUrl,
    'SELECT event_id AS id, count(*)::int AS copies FROM hook_events GROUP BY event_id',
  )
  return new Map(rows.map(({ id, copies }) => [String(id), Number(copies)]))
}

async function versions({ databaseUrl, balancer }: World): Promise<string> {
  const [row] = await execute(databaseUrl, 'SHOW server_version')
  const names = [`Node ${process.versions.node}`, `PostgreSQL ${row?.server_version}`]
  return [...names, ...(balancer ? [Balancer.version()] : [])].join(', ')
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1).padStart(6)} s `
}
