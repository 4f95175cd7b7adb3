import { inspect } from 'node:util'
import { diag } from '@opentelemetry/api'
import { environmentOptions } from './environment.ts'
import type { ClientLogger, HookClientOptions } from './options.ts'

type OptionName = keyof HookClientOptions
type Defaulted = Exclude<
  OptionName,
  'headers' | 'tls' | 'exporter' | 'loggerProvider' | 'spool' | 'onDrop' | 'meterProvider'
>

/** The options of one client, checked, with the environment and the defaults filled in. */
export type ClientConfig = Readonly<
  Required<Pick<HookClientOptions, Defaulted>> &
    Omit<HookClientOptions, Defaulted> & {
      /** Of the logs signal, `/v1/logs` included. */
      endpoint: URL
    }
>

const DEFAULT_ENDPOINT = 'http://localhost:4318'
const LOGS_PATH = '/v1/logs'

const defaultLogger: ClientLogger = {
  warn: (message) => console.warn(`agentic-hooks: ${message}`),
  info: (message) => diag.info(`agentic-hooks: ${message}`),
}

export const DEFAULTS = {
  endpoint: new URL(DEFAULT_ENDPOINT + LOGS_PATH),
  protocol: 'http/protobuf',
  compression: 'none',
  batchSize: 50,
  flushIntervalMillis: 1000,
  maxQueueSize: 2048,
  maxQueueBytes: 64 * 1024 * 1024,
  queueFullPolicy: 'dropNewest',
  maxPayloadBytes: 4 * 1024 * 1024,
  concurrencyLimit: 4,
  maxRetryAttempts: 5,
  retryInitialDelayMillis: 1000,
  retryBackoffFactor: 2,
  retryMaxDelayMillis: 30_000,
  retryJitter: 0.2,
  exportTimeoutMillis: 10_000,
  flushTimeoutMillis: 30_000,
  shutdownTimeoutMillis: 2000,
  maxSpoolBytes: 256 * 1024 * 1024,
  durability: 'memory',
  redact: true,
  resourceAttributes: {},
  logger: defaultLogger,
  disabled: false,
} as const satisfies Pick<ClientConfig, Defaulted>

/** Says what a value must be, or null when it is. */
type Check = (value: unknown) => string | null

/** One day: no timer waits longer than three weeks, and nobody means to. */
const MAX_MILLIS = 86_400_000
const MAX_COUNT = 10_000_000
const MAX_BYTES = 2 ** 40
const millis = integer(1, MAX_MILLIS)

const CHECKS: Readonly<Record<OptionName, Check>> = {
  endpoint: (value) => (toHttpUrl(value) ? null : 'must be an http or https URL'),
  protocol: oneOf('http/protobuf', 'http/json'),
  headers: (value) =>
    typeof value === 'function' || isTextMap(value) ? null : 'must be an object of strings, or a function',
  compression: oneOf('none', 'gzip'),
  tls: object('must be an object with ca, cert or key'),
  exporter: withMethod('export', 'must be a LogRecordExporter'),
  loggerProvider: withMethod('getLogger', 'must be a LoggerProvider'),
  batchSize: integer(1, 10_000),
  flushIntervalMillis: millis,
  maxQueueSize: integer(1, MAX_COUNT),
  maxQueueBytes: integer(1024, MAX_BYTES),
  queueFullPolicy: oneOf('dropNewest', 'dropOldest'),
  maxPayloadBytes: integer(64, 2 ** 28),
  concurrencyLimit: integer(1, 100),
  maxRetryAttempts: integer(0, 1000),
  retryInitialDelayMillis: millis,
  retryBackoffFactor: number(1, 10),
  retryMaxDelayMillis: millis,
  retryJitter: number(0, 1),
  exportTimeoutMillis: millis,
  flushTimeoutMillis: millis,
  shutdownTimeoutMillis: millis,
  spool: (value) => (typeof value === 'string' && value !== '' ? null : 'must be the path of a directory'),
  maxSpoolBytes: integer(1024, MAX_BYTES),
  durability: oneOf('memory', 'disk'),
  redact: (value) =>
    typeof value === 'boolean' || isObject(value) ? null : 'must be a boolean or an object',
  resourceAttributes: object('must be an object'),
  onDrop: (value) => (typeof value === 'function' ? null : 'must be a function'),
  logger: withMethod('warn', 'must have the methods warn and info'),
  meterProvider: withMethod('getMeter', 'must be a MeterProvider'),
  disabled: (value) => (typeof value === 'boolean' ? null : 'must be a boolean'),
}

export const OPTION_NAMES = Object.keys(CHECKS) as readonly OptionName[]

/**
 * Options, environment and defaults as one checked configuration; the earlier ones win.
 * @throws TypeError that names the wrong option, its value and what is allowed
 */
export function resolveConfig(
  options: HookClientOptions,
  env: NodeJS.ProcessEnv = process.env,
): ClientConfig {
  const given = withoutUndefined(options)
  for (const [name, value] of Object.entries(given)) {
    const problem = problemWith(name, value)
    if (problem) throw new TypeError(`HookClient option ${name} is ${show(value)}; it ${problem}`)
  }
  const logger = options.logger ?? DEFAULTS.logger
  const fromEnvironment = environmentOptions(env, problemWith, (message) => logger.warn(message))
  const config = { ...DEFAULTS, ...fromEnvironment, ...given }
  if (config.durability === 'disk' && !config.spool) {
    throw new TypeError('HookClient option durability is "disk"; it needs the option spool, a directory')
  }
  if (config.exporter && config.loggerProvider) {
    throw new TypeError('HookClient options exporter and loggerProvider exclude each other')
  }
  const endpoint = options.endpoint ? logsUrl(options.endpoint) : new URL(config.endpoint)
  return Object.freeze({ ...config, endpoint })
}

/** The URL for log records: `/v1/logs` joins a base URL that does not end with it. */
function logsUrl(endpoint: string | URL): URL {
  const url = new URL(endpoint)
  if (!url.pathname.endsWith(LOGS_PATH)) url.pathname = url.pathname.replace(/\/$/, '') + LOGS_PATH
  return url
}

function problemWith(name: string, value: unknown): string | null {
  const check = Object.hasOwn(CHECKS, name) ? CHECKS[name as OptionName] : null
  return check ? check(value) : `does not exist; the options are ${OPTION_NAMES.join(', ')}`
}

function show(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 80 })
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

function integer(min: number, max: number): Check {
  return (value) =>
    Number.isInteger(value) && isWithin(value as number, min, max)
      ? null
      : // Not earlier: the first use of a locale costs 20 ms.
        `must be an integer from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
}

function number(min: number, max: number): Check {
  return (value) =>
    typeof value === 'number' && isWithin(value, min, max) ? null : `must be a number from ${min} to ${max}`
}

function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max
}

function oneOf(...allowed: string[]): Check {
  return (value) => (allowed.includes(value as string) ? null : `must be ${allowed.join(' or ')}`)
}

function object(problem: string): Check {
  return (value) => (isObject(value) ? null : problem)
}

function withMethod(method: string, problem: string): Check {
  return (value) => (isObject(value) && typeof value[method] === 'function' ? null : problem)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTextMap(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((member) => typeof member === 'string')
}

function toHttpUrl(value: unknown): URL | null {
  const url = typeof value === 'string' || value instanceof URL ? URL.parse(String(value)) : null
  return url && (url.protocol === 'http:' || url.protocol === 'https:') ? url : null
}
