import type { Micros } from '@agentic-hooks/events'
import type { Client, PoolClient, QueryConfig } from 'pg'
import type { ResolvedOptions } from '../options.ts'
import { ClockError } from './errors.ts'

export type ClockOptions = Pick<ResolvedOptions, 'maxClockDifferenceMillis' | 'connectTimeoutMillis'>

/** The clocks of the database and of this machine, read together. */
export interface Clocks {
  /** Everything that makes or drops partitions goes by it: replicas share one database, and each has its own clock. */
  readonly databaseMicros: Micros
  /** Positive when this machine is ahead. The time that the question took does not count. */
  readonly differenceMillis: number
  /** Within `maxClockDifferenceMillis`. Otherwise one of the two is wrong, and nobody knows which. */
  readonly agree: boolean
  /** Both times, for a person. */
  readonly description: string
}

const READ_CLOCK = 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros'

export async function readClocks(client: Client | PoolClient, options: ClockOptions): Promise<Clocks> {
  const before = Date.now()
  const { rows } = await client.query<{ micros: string }>({
    text: READ_CLOCK,
    query_timeout: options.connectTimeoutMillis,
  } as QueryConfig)
  const after = Date.now()
  const databaseMicros = Number(rows[0]!.micros)
  const databaseMillis = databaseMicros / 1000
  const ownMillis = Math.min(Math.max(databaseMillis, before), after)
  const differenceMillis = Math.round(ownMillis - databaseMillis)
  const seconds = Math.round(Math.abs(differenceMillis) / 1000)
  const direction = differenceMillis > 0 ? 'ahead of' : 'behind'
  return {
    databaseMicros,
    differenceMillis,
    agree: Math.abs(differenceMillis) <= options.maxClockDifferenceMillis,
    description:
      `this machine's clock (${iso(ownMillis)}) is ${seconds} s ${direction} ` +
      `the clock of PostgreSQL (${iso(databaseMillis)})`,
  }
}

/** @throws ClockError when the clocks disagree */
export async function requireAgreement(client: Client | PoolClient, options: ClockOptions): Promise<void> {
  const { agree, description } = await readClocks(client, options)
  if (agree) return
  throw new ClockError(
    `${description}, more than maxClockDifferenceMillis (${options.maxClockDifferenceMillis}): correct the one that is wrong`,
  )
}

function iso(millis: number): string {
  return new Date(Math.floor(millis)).toISOString()
}
