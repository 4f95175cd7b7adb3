import { exporterList } from './exporter-list.ts'
import {
  bytes,
  databaseUrl,
  hosts,
  integer,
  type Kind,
  millis,
  oneOf,
  origins,
  port,
  ports,
  text,
  tokens,
} from './kinds.ts'

export interface Option<T = unknown> {
  readonly group: 'Listening' | 'Storage' | 'Security' | 'Limits' | 'Process'
  readonly kind: Kind<T>
  /** As a person would write it in the environment. Without one the option may stay unset. */
  readonly default?: string
  /** Goes on being read where the name itself is not set. */
  readonly formerName?: string
  /** The value is never printed. */
  readonly secret?: true
  /** For `--help`; says what happens at the limit. */
  readonly help: string
}

/**
 * Every option, once. The name of `maxBodyBytes` in the environment is MAX_BODY_BYTES and on the command line
 * --max-body-bytes; a flag wins over the environment, and an empty value counts as none.
 */
export const OPTIONS = {
  port: {
    group: 'Listening',
    kind: ports,
    default: '4318',
    help: 'Ports for OTLP/HTTP, REST and agent hooks; 0 takes any free one.',
  },
  host: {
    group: 'Listening',
    kind: text('ADDRESS'),
    default: '127.0.0.1',
    help: 'Address to listen on; 0.0.0.0 or :: for all. Set tokens before you leave the loopback.',
  },
  adminPort: {
    group: 'Listening',
    kind: port,
    help: 'Serve /metrics and /health here, without tokens, and no longer on PORT.',
  },
  adminHost: {
    group: 'Listening',
    kind: text('ADDRESS'),
    default: '127.0.0.1',
    help: 'Address for ADMIN_PORT.',
  },
  storageType: {
    group: 'Storage',
    kind: oneOf(['auto', 'postgres', 'jsonl', 'postgres,jsonl', 'jsonl,postgres']),
    default: 'auto',
    help: 'auto, postgres, jsonl or postgres,jsonl (both). auto: postgres when DATABASE_URL is set, else jsonl.',
  },
  databaseUrl: {
    group: 'Storage',
    kind: databaseUrl,
    secret: true,
    help: 'The PostgreSQL database, as in postgres://user:password@host:5432/database.',
  },
  retentionDays: {
    group: 'Storage',
    kind: integer('DAYS', 1, 100_000),
    help: 'Drop events from PostgreSQL that are older, a partition at a time. Default: keep all.',
  },
  jsonlPath: {
    group: 'Storage',
    kind: text('FILE'),
    default: '.agentic/analytics/events.jsonl',
    help: 'The file that events are appended to.',
  },
  exporters: {
    group: 'Storage',
    kind: exporterList,
    secret: true,
    help: 'Instead of STORAGE_TYPE: packages, or a JSON array as in [{"package":"my-exporter","options":{}}, "jsonl"].',
  },
  spoolDir: {
    group: 'Storage',
    kind: text('DIR'),
    help: 'Keep events here, durably, while storage is down, instead of refusing them.',
  },
  maxSpoolBytes: {
    formerName: 'spoolMaxBytes',
    group: 'Storage',
    kind: bytes(2 ** 20, 2 ** 50),
    default: '1GiB',
    help: 'Most bytes in SPOOL_DIR; when it is full, events are refused again.',
  },
  authTokens: {
    group: 'Security',
    kind: tokens,
    secret: true,
    help: 'Bearer tokens. With any, every request but /health must carry one. A list of none stops the start.',
  },
  authTokensFile: {
    group: 'Security',
    kind: text('FILE'),
    help: 'More of them, one per line, # for comments; a changed file is read again within seconds. A file of none stops the start.',
  },
  tlsCertFile: {
    group: 'Security',
    kind: text('FILE'),
    help: 'Certificate chain in PEM; with it the receiver speaks HTTPS only.',
  },
  tlsKeyFile: { group: 'Security', kind: text('FILE'), help: 'Private key of TLS_CERT_FILE in PEM.' },
  tlsClientCaFile: {
    group: 'Security',
    kind: text('FILE'),
    help: 'Mutual TLS: accept only clients with a certificate signed by one of these authorities (PEM).',
  },
  corsOrigins: {
    group: 'Security',
    kind: origins,
    help: 'Web origins whose pages may post here, such as https://app.example.com. Default: none.',
  },
  publicHosts: {
    group: 'Security',
    kind: hosts,
    help:
      'Further hosts that clients without tokens may name in Host, without ports. ' +
      'On the loopback others get 403 (DNS rebinding); elsewhere only when this is set.',
  },
  maxBodyBytes: {
    group: 'Limits',
    kind: bytes(1024, 2 ** 30),
    default: '64MiB',
    help: 'Largest body, both as sent and after decompression; a larger one gets 413.',
  },
  maxRequestEvents: {
    group: 'Limits',
    kind: integer('N', 1, 10_000_000),
    default: '200000',
    help: 'Most events in one request; more get 413. An event of a few bytes takes some 450 in memory.',
  },
  minEventBytes: {
    group: 'Limits',
    kind: integer('BYTES', 0, 65_536),
    default: '64',
    help: 'Beyond 10,000 events, resources and scopes in one request, each must take so many bytes of its body, or 413.',
  },
  maxEventBytes: {
    group: 'Limits',
    kind: bytes(1024, 2 ** 28),
    default: '16MiB',
    help: 'Largest event as JSON, each value counting 32 more; a larger one is rejected, a larger resource or scope 413.',
  },
  maxDecodedBytes: {
    group: 'Limits',
    kind: bytes(1024, 2 ** 32),
    default: '128MiB',
    help: 'Most bytes of the events of one request as JSON lines, each with its resource and scope; more get 413.',
  },
  maxJsonValues: {
    group: 'Limits',
    kind: integer('N', 1, 1_000_000_000),
    default: '5000000',
    help: 'Most values in one JSON body; more get 413. It bounds what 64 MiB of brackets become in memory.',
  },
  maxClientEventsPerSecond: {
    group: 'Limits',
    kind: integer('N', 1, 1_000_000_000),
    help: 'Most events a second of one client, by token or else by address; beyond it 429. Default: any.',
  },
  maxBytesInFlight: {
    group: 'Limits',
    kind: bytes(1024, 2 ** 40),
    default: '256MiB',
    help: 'Most memory of requests that are received and not yet stored; beyond it 503 with Retry-After.',
  },
  maxConnections: {
    group: 'Limits',
    kind: integer('N', 1, 1_000_000),
    default: '16384',
    help: 'Most open connections a port; further ones are closed at once.',
  },
  maxPipelinedRequests: {
    group: 'Limits',
    kind: integer('N', 1, 100_000),
    default: '100',
    help: 'Most requests of a connection that wait for an answer before theirs; after theirs it is closed.',
  },
  headersTimeoutMillis: {
    group: 'Limits',
    kind: millis(1),
    default: '10000',
    help: 'A client must have sent its headers by then, or gets 408.',
  },
  requestTimeoutMillis: {
    group: 'Limits',
    kind: millis(1),
    default: '30000',
    help: 'A client must have sent its whole request by then, or gets 408; and read its answer within as long.',
  },
  keepAliveTimeoutMillis: {
    group: 'Limits',
    kind: millis(1),
    default: '75000',
    help: 'An idle connection is closed then; keep it longer than that of a load balancer in front.',
  },
  exportRetryMillis: {
    group: 'Limits',
    kind: millis(0),
    default: '3000',
    help: 'A failing exporter is tried again for so long, then the request gets 503.',
  },
  exportTimeoutMillis: {
    group: 'Limits',
    kind: millis(1),
    default: '8000',
    help: 'Storing a request may take so long, retries included, then it gets 503.',
  },
  hookTimeoutMillis: {
    group: 'Limits',
    kind: millis(1),
    default: '250',
    help: 'An agent that posts a hook waits at most so long for storage; then the spool, without one 503.',
  },
  maxLineBytes: {
    group: 'Limits',
    kind: bytes(1024, 2 ** 29),
    default: '128MiB',
    help: 'Longest line of a file to import; a longer one is named, counted as rejected and left out.',
  },
  shutdownGraceMillis: {
    group: 'Process',
    kind: millis(0),
    default: '10000',
    help: 'After SIGTERM or SIGINT, time to answer what is in flight. A second signal ends at once.',
  },
  logLevel: {
    group: 'Process',
    kind: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    default: 'info',
    help: 'Logs are JSON lines on standard output.',
  },
} as const satisfies Record<string, Option>

type Options = typeof OPTIONS
type OptionName = keyof Options

/** The parsed options; those with a default always have a value. */
export type Config = {
  readonly [Name in OptionName]: Options[Name]['kind'] extends Kind<infer T>
    ? Options[Name] extends { readonly default: string }
      ? T
      : T | undefined
    : never
}

/** A wrong option; the message is one line for the person who set it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** MAX_BODY_BYTES of `maxBodyBytes`. */
export function environmentName(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

/** `max-body-bytes` of `maxBodyBytes`. */
export function flagName(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** What `util.parseArgs` needs to know about the options. */
export const OPTION_FLAGS = Object.fromEntries(
  Object.entries<Option>(OPTIONS)
    .flatMap(([name, option]) => namesOf(name, option))
    .map((name) => [flagName(name), { type: 'string' }]),
) as Record<string, { type: 'string' }>

function namesOf(name: string, { formerName }: Option): string[] {
  return formerName === undefined ? [name] : [name, formerName]
}

/**
 * @param flags parsed command-line flags by their name without dashes; others than options are ignored
 * @throws ConfigError
 */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, unknown>> = {},
): Config {
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries<Option>(OPTIONS)) {
    const { value, source } = find(name, option, environment, flags)
    if (value === undefined) continue
    let detail = ''
    try {
      values[name] = option.kind.parse(value)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      detail = `: ${error.message}`
    }
    if (values[name] === undefined) {
      const shown = option.secret ? 'not allowed' : JSON.stringify(value)
      throw new ConfigError(`${source} is ${shown}; it must be ${option.kind.allowed}${detail}`)
    }
  }
  const config = Object.freeze(values) as unknown as Config
  checkRelations(config)
  return config
}

/** A flag wins over the environment, which wins over the default. */
function find(
  name: string,
  option: Option,
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, unknown>>,
): { readonly value: string | undefined; readonly source: string } {
  const names = namesOf(name, option)
  for (const candidate of names) {
    const value = flags[flagName(candidate)]
    if (typeof value === 'string' && value) return { value, source: `--${flagName(candidate)}` }
  }
  for (const candidate of names) {
    const value = environment[environmentName(candidate)]
    if (value) return { value, source: environmentName(candidate) }
  }
  return { value: option.default, source: environmentName(name) }
}

function checkRelations(config: Config): void {
  const rules: [boolean, string][] = [
    [
      config.maxBytesInFlight < config.maxBodyBytes,
      `MAX_BYTES_IN_FLIGHT is ${config.maxBytesInFlight}; it must be at least MAX_BODY_BYTES (${config.maxBodyBytes})`,
    ],
    [
      config.storageType.includes('postgres') && !config.databaseUrl,
      `STORAGE_TYPE is "${config.storageType}"; it needs DATABASE_URL`,
    ],
    [
      config.exporters !== undefined && config.storageType !== 'auto',
      `EXPORTERS and STORAGE_TYPE are both set; keep one (EXPORTERS may list postgres and jsonl)`,
    ],
    [
      (config.tlsCertFile === undefined) !== (config.tlsKeyFile === undefined),
      'TLS_CERT_FILE and TLS_KEY_FILE must be set together',
    ],
    [
      config.tlsClientCaFile !== undefined && config.tlsCertFile === undefined,
      'TLS_CLIENT_CA_FILE needs TLS_CERT_FILE and TLS_KEY_FILE',
    ],
    [
      config.hookTimeoutMillis > config.exportTimeoutMillis,
      `HOOK_TIMEOUT_MILLIS is ${config.hookTimeoutMillis}; it must be at most EXPORT_TIMEOUT_MILLIS (${config.exportTimeoutMillis})`,
    ],
    [
      config.headersTimeoutMillis > config.requestTimeoutMillis,
      `HEADERS_TIMEOUT_MILLIS is ${config.headersTimeoutMillis}; it must be at most REQUEST_TIMEOUT_MILLIS (${config.requestTimeoutMillis})`,
    ],
  ]
  const broken = rules.find(([isBroken]) => isBroken)
  if (broken) throw new ConfigError(broken[1])
}
