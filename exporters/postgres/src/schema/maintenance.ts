import { setTimeout as delay } from 'node:timers/promises'
import type { Micros } from '@agentic-hooks/events'
import { type Client, DatabaseError } from 'pg'
import { readClocks } from '../connection/clock.ts'
import { remedyOf } from '../connection/sqlstate.ts'
import type { ResolvedOptions } from '../options.ts'
import {
  createDefaultPartitionSql,
  createPartitionSql,
  dropPartitionSql,
  lacksDefaultPartition,
  listPartitions,
  missingPartitions,
  type Partition,
  periodsFrom,
  type TimeRange,
} from './partitions.ts'

export type MaintenanceOptions = Pick<
  ResolvedOptions,
  | 'partitionBy'
  | 'partitionsAhead'
  | 'retentionDays'
  | 'maxClockDifferenceMillis'
  | 'connectTimeoutMillis'
  | 'logger'
>

/** One transaction. */
export interface MaintenanceStep {
  /** For the log: `create partition hook_events_p20261122`. */
  readonly name: string
  readonly sql: string
}

/** Writers that queue behind a lock that we wait for stand still no longer than this, at each attempt. */
const LOCK_TIMEOUT_MILLIS = 100
/** Together some four minutes, at growing intervals; the next round of maintenance goes on from there. */
const LOCK_ATTEMPTS = 14
const FIRST_LOCK_RETRY_MILLIS = 500
const MAX_LOCK_RETRY_MILLIS = 30_000
const DAY_MICROS = 86_400_000_000
/** Whoever waits for a table's lock is idle for up to 45 s. */
const MAX_IDLE_HOLDER_MILLIS = 300_000
const TURN_POLL_MILLIS = 200
const ADVISORY_LOCK = 7_310_868_735_420_002

/**
 * What is due now: partitions ahead of time, then, with retention, everything too old.
 * @param now by the database's clock: of several receivers' clocks one may be wrong, and would delete what others keep
 */
function maintenancePlan(
  partitions: readonly Partition[],
  options: MaintenanceOptions,
  now: Micros,
): MaintenanceStep[] {
  const ahead = periodsFrom(now, options.partitionsAhead, options.partitionBy)
  const steps = createSteps(partitions, ahead)
  return options.retentionDays === null
    ? steps
    : [...steps, ...retentionSteps(partitions, now - options.retentionDays * DAY_MICROS)]
}

function createSteps(partitions: readonly Partition[], wanted: readonly TimeRange[]): MaintenanceStep[] {
  return missingPartitions(partitions, wanted).map((partition) => ({
    name: `create partition ${partition.name}`,
    sql: createPartitionSql(partition),
  }))
}

function retentionSteps(partitions: readonly Partition[], cutoff: Micros): MaintenanceStep[] {
  const expired = partitions.filter(({ to }) => to <= cutoff)
  const kept = partitions.filter(({ to }) => to > cutoff)
  // An event refers to a resource whose last_seen is at most a day before the event's time (see KnownResources).
  const oldestReference = Math.min(cutoff, ...kept.map(({ from }) => from)) - DAY_MICROS
  return [
    ...expired.map((partition) => ({
      name: `drop partition ${partition.name}`,
      sql: dropPartitionSql(partition),
    })),
    {
      name: 'delete old events of the default partition',
      // Whatever time an event claims, it is not kept longer than others after its receipt.
      sql: `
DELETE FROM hook_events_default WHERE least("timestamp", received_at) < ${timeLiteral(cutoff)};`,
    },
    {
      name: 'delete resources that no event refers to',
      sql: `
DELETE FROM hook_resources WHERE last_seen < ${timeLiteral(oldestReference)};`,
    },
  ]
}

function timeLiteral(micros: Micros): string {
  return micros === -Infinity ? `'-infinity'` : `'${new Date(Math.floor(micros / 1000)).toISOString()}'`
}

/**
 * Does what is due. While another replica is at it, it waits for that one to finish, or leaves it to it.
 * @throws the first error, after every other step was tried
 */
export async function maintain(
  client: Client,
  options: MaintenanceOptions,
  whileAnother: 'wait' | 'leave',
): Promise<void> {
  await inTurn(client, options, whileAnother, async () => {
    await runSteps(client, await dueSteps(client, options), options)
  })
}

/** The plan of this moment: what the database has, by the database's clock. */
export async function dueSteps(client: Client, options: MaintenanceOptions): Promise<MaintenanceStep[]> {
  const clocks = await readClocks(client, options)
  if (!clocks.agree && options.retentionDays !== null) {
    options.logger.warn(
      { differenceMillis: clocks.differenceMillis },
      `nothing is deleted until the clocks are set right: ${clocks.description}`,
    )
  }
  const plan = maintenancePlan(
    await listPartitions(client),
    clocks.agree ? options : { ...options, retentionDays: null },
    clocks.databaseMicros,
  )
  return (await lacksDefaultPartition(client)) ? [CREATE_DEFAULT_PARTITION, ...plan] : plan
}

const CREATE_DEFAULT_PARTITION: MaintenanceStep = {
  name: 'create the default partition',
  sql: createDefaultPartitionSql,
}

/**
 * Makes the partitions of these ranges, after any other replica that makes some.
 * @throws the first error, after every other step was tried
 */
export async function makePartitions(
  client: Client,
  wanted: readonly TimeRange[],
  options: MaintenanceOptions,
): Promise<void> {
  await inTurn(client, options, 'wait', async () => {
    await runSteps(client, createSteps(await listPartitions(client), wanted), options)
  })
}

/** Replicas take turns; what two of them do at once fails for one and does no harm. */
async function inTurn(
  client: Client,
  { logger }: MaintenanceOptions,
  whileAnother: 'wait' | 'leave',
  action: () => Promise<void>,
): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
      ADVISORY_LOCK,
    ])
    if (rows[0]?.locked) break
    const idle = await idleHolder(client)
    if (idle) {
      logger.warn(idle, 'a session holds the lock of maintenance and does nothing with it: going on without')
      break
    }
    if (whileAnother === 'leave') return
    await delay(TURN_POLL_MILLIS)
  }
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MILLIS}`)
  try {
    await action()
  } finally {
    // A pooler may keep the session when the connection is closed.
    await client.query('SELECT pg_advisory_unlock($1)', [ADVISORY_LOCK]).catch(() => {})
  }
}

/** The session that holds the lock, when it has been idle for so long that whoever took the lock must be gone. */
async function idleHolder(client: Client): Promise<{ pid: number; idleSeconds: number } | undefined> {
  const { rows } = await client.query<{ pid: number; idleSeconds: number }>(
    `SELECT pid, extract(epoch FROM clock_timestamp() - state_change)::int AS "idleSeconds"
     FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND objsubid = 1 AND (classid::bigint << 32) + objid::bigint = $1
       AND state = 'idle' AND state_change < clock_timestamp() - $2 * interval '1 millisecond'`,
    [ADVISORY_LOCK, MAX_IDLE_HOLDER_MILLIS],
  )
  return rows[0]
}

async function runSteps(
  client: Client,
  steps: readonly MaintenanceStep[],
  { logger }: MaintenanceOptions,
): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) {
    try {
      const rows = await runStep(client, step)
      if (rows !== 0) logger.info({ step: step.name, rows }, 'maintained the schema')
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

async function runStep(client: Client, { sql }: MaintenanceStep): Promise<number | null> {
  for (let attempt = 1, waitMillis = FIRST_LOCK_RETRY_MILLIS; ; attempt++) {
    try {
      // Several statements in one query are one transaction.
      return (await client.query(sql)).rowCount
    } catch (error) {
      if (!isLockConflict(error) || attempt === LOCK_ATTEMPTS) throw error
    }
    await delay(waitMillis * (0.5 + Math.random()))
    waitMillis = Math.min(waitMillis * 2, MAX_LOCK_RETRY_MILLIS)
  }
}

function isLockConflict(error: unknown): boolean {
  const lockNotAvailable = error instanceof DatabaseError && error.code === '55P03'
  return lockNotAvailable || remedyOf(error) === 'conflict'
}
