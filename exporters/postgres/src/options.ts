import { checkOptions, OptionRule, type OptionRules } from '@agentic-hooks/events'
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
  /** For one page of events or sessions. Default 60,000. */
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
  /**
   * How far this machine's clock may be from the database's. Beyond it no event is taken and no partition dropped, until
   * they agree. Default 3,600,000 (an hour).
   */
  readonly maxClockDifferenceMillis?: number
  /** Between two rounds of making and dropping partitions. Default 3,600,000 (an hour). */
  readonly maintenanceIntervalMillis?: number
}

type GivenOptions = Required<PostgresExporterOptions>

export interface ResolvedOptions extends GivenOptions {
  readonly logger: Logger
}

const consoleLogger: Logger = {
  info() {},
  warn: (fields, message) => console.warn(`exporter-postgres: ${message}`, fields),
}

const DEFAULTS: Omit<GivenOptions, 'databaseUrl'> = {
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
  maxClockDifferenceMillis: 3_600_000,
  maintenanceIntervalMillis: 3_600_000,
}

/** Node's timers fire at once for anything longer. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1

const timer = OptionRule.integer(1, MAX_TIMER_MILLIS)

const RULES: OptionRules<keyof GivenOptions> = {
  databaseUrl: {
    allowed: 'a URL such as postgres://user:password@localhost:5432/database',
    allows: isPostgresUrl,
    isRequired: true,
    isSecret: true,
    problemInside: problemInsideUrl,
  },
  connections: OptionRule.integer(1, 100),
  maxGroupBytes: OptionRule.integer(1024, 2 ** 28),
  maxQueuedBytes: OptionRule.integer(1024),
  connectTimeoutMillis: timer,
  writeTimeoutMillis: timer,
  queryTimeoutMillis: timer,
  startTimeoutMillis: OptionRule.integer(0, MAX_TIMER_MILLIS),
  manageSchema: OptionRule.boolean,
  partitionBy: OptionRule.oneOf('day', 'month'),
  partitionsAhead: OptionRule.integer(0, 366),
  retentionDays: {
    allowed: 'an integer from 1 to 100,000, or null',
    allows: (value) => value === null || OptionRule.integer(1, 100_000).allows(value),
  },
  maxClockDifferenceMillis: OptionRule.integer(1_000),
  maintenanceIntervalMillis: OptionRule.integer(100, MAX_TIMER_MILLIS),
}

/** @throws TypeError that names the first wrong option, its value and what is allowed */
export function resolveOptions(
  options: Readonly<Record<string, unknown>>,
  logger: Logger = consoleLogger,
): ResolvedOptions {
  const given = checkOptions<GivenOptions>('exporter-postgres', RULES, options)
  return { ...DEFAULTS, ...given, logger } as ResolvedOptions
}

function isPostgresUrl(value: unknown): boolean {
  return typeof value === 'string' && /^postgres(ql)?:\/\/./.test(value)
}

/** The URL itself is never shown: it holds a password. */
function problemInsideUrl(owner: string, path: string, value: unknown): string | null {
  try {
    databaseHosts(String(value))
    return null
  } catch (error) {
    return `${owner} option ${path} cannot be used: ${error instanceof Error ? error.message : 'it is no URL'}`
  }
}
