import { databaseHosts } from './connection/database-url.ts'

/** What the exporter tells whoever runs it; pino's loggers fit. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface PostgresExporterOptions {
  /**
   * `postgres://user:password@host:5432/database`. `sslmode`, `sslrootcert`, `sslcert` and `sslkey` mean what
   * they mean to libpq; without `sslmode` it is `prefer`. Several hosts (`host1:5432,host2:5432`), `?host=/socket/folder`,
   * `target_session_attrs` and `channel_binding` work as libpq has them.
   */
  readonly databaseUrl: string
  /** Connections that write. Default 2: more brought nothing on two cores. */
  readonly connections?: number
  /** Rows written by one COPY, in bytes at most; a larger batch goes alone. Default 4 MiB (docs/decisions/0100). */
  readonly maxGroupBytes?: number
  /** Batches not yet durable, in bytes of EventBatch.byteLength; above it `export` rejects at once. Default 64 MiB. */
  readonly maxQueuedBytes?: number
  /** For a connection to be ready for queries, its password checked. Default 5,000. */
  readonly connectTimeoutMillis?: number
  /** For one COPY to be committed; after it the connection is given up and its batches are rejected. Default 30,000. */
  readonly writeTimeoutMillis?: number
  /** For an answer to `query` and `sessions`. Default 60,000. */
  readonly queryTimeoutMillis?: number
  /** How long `start` waits for a server that is not there yet. Default 30,000. */
  readonly startTimeoutMillis?: number
  /**
   * Migrate at start, make partitions ahead and drop old ones; needs the role that owns the tables. Default
   * true. With false the schema is only checked, and someone else runs `migrate` every day.
   */
  readonly manageSchema?: boolean
  /** Width of the partitions that are made from now on. Default `day`. */
  readonly partitionBy?: 'day' | 'month'
  /** Partitions made ahead of time, the current one not counted. Default 7. */
  readonly partitionsAhead?: number
  /** Events older than this are dropped, a whole partition at a time. Default: none are. */
  readonly retentionDays?: number | null
  /** Between two rounds of making and dropping partitions. Default 3,600,000 (an hour). */
  readonly maintenanceIntervalMillis?: number
  /** Default: warnings to the console. */
  readonly logger?: Logger
}

export type ResolvedOptions = Required<PostgresExporterOptions>

const consoleLogger: Logger = {
  info() {},
  warn: (fields, message) => console.warn(`exporter-postgres: ${message}`, fields),
}

const DEFAULTS: Omit<ResolvedOptions, 'databaseUrl'> = {
  connections: 2,
  maxGroupBytes: 2 ** 22,
  maxQueuedBytes: 2 ** 26,
  connectTimeoutMillis: 5_000,
  writeTimeoutMillis: 30_000,
  queryTimeoutMillis: 60_000,
  startTimeoutMillis: 30_000,
  manageSchema: true,
  partitionBy: 'day',
  partitionsAhead: 7,
  retentionDays: null,
  maintenanceIntervalMillis: 3_600_000,
  logger: consoleLogger,
}

/** Node's timers fire at once for anything longer. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1

/** What is allowed for each option: a test and the words for a person. */
const RULES: Record<keyof ResolvedOptions, readonly [(value: unknown) => boolean, string]> = {
  databaseUrl: [isPostgresUrl, 'a URL such as postgres://user:password@localhost:5432/database'],
  connections: integerFrom(1, 100),
  maxGroupBytes: integerFrom(1024, 2 ** 28),
  maxQueuedBytes: integerFrom(1024, Number.MAX_SAFE_INTEGER),
  connectTimeoutMillis: integerFrom(1, MAX_TIMER_MILLIS),
  writeTimeoutMillis: integerFrom(1, MAX_TIMER_MILLIS),
  queryTimeoutMillis: integerFrom(1, MAX_TIMER_MILLIS),
  startTimeoutMillis: integerFrom(0, MAX_TIMER_MILLIS),
  manageSchema: [(value) => typeof value === 'boolean', 'true or false'],
  partitionBy: [(value) => value === 'day' || value === 'month', '"day" or "month"'],
  partitionsAhead: integerFrom(0, 366),
  retentionDays: [
    (value) => value === null || isIntegerFrom(value, 1, 100_000),
    'an integer from 1, or null',
  ],
  maintenanceIntervalMillis: integerFrom(100, MAX_TIMER_MILLIS),
  logger: [isLogger, 'an object with the methods info and warn'],
}

/** @throws Error that names the first wrong option, its value and what is allowed */
export function resolveOptions(options: Readonly<Record<string, unknown>>): ResolvedOptions {
  const resolved: Record<string, unknown> = { ...DEFAULTS }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(RULES, name)) {
      throw new Error(`exporter-postgres: unknown option ${name}; known are ${Object.keys(RULES).join(', ')}`)
    }
    if (value !== undefined) resolved[name] = value
  }
  for (const [name, [allows, allowed]] of Object.entries(RULES)) {
    const value = resolved[name]
    if (allows(value)) continue
    throw new Error(
      `exporter-postgres: option ${name} must be ${allowed}, not ${describe(name, value)}${reasonOf(name, value)}`,
    )
  }
  return resolved as unknown as ResolvedOptions
}

function describe(name: string, value: unknown): string {
  if (value === undefined) return 'missing'
  // The URL holds a password.
  if (name === 'databaseUrl') return typeof value === 'string' ? 'what was given' : `a ${typeof value}`
  return JSON.stringify(value) ?? String(value)
}

/** For the one option whose value is never shown. */
function reasonOf(name: string, value: unknown): string {
  if (name !== 'databaseUrl' || typeof value !== 'string') return ''
  try {
    databaseHosts(value)
    return ''
  } catch (error) {
    return error instanceof Error ? `: ${error.message}` : ''
  }
}

function integerFrom(least: number, most: number): readonly [(value: unknown) => boolean, string] {
  return [(value) => isIntegerFrom(value, least, most), `an integer from ${least} to ${most}`]
}

function isIntegerFrom(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}

function isPostgresUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !/^postgres(ql)?:\/\/./.test(value)) return false
  try {
    return databaseHosts(value).length > 0
  } catch {
    return false
  }
}

function isLogger(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['info', 'warn'].every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
  )
}
