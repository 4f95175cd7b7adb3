import { mkdirSync } from 'node:fs'
import { checkOptions, OptionRule, type OptionRules, problemWithValue } from '@agentic-hooks/events'
import { diag } from '@opentelemetry/api'
import { parseKeyPairsIntoRecord } from '@opentelemetry/core'
import { environmentOptions, variableWarner } from './environment.ts'
import type { HookClientOptions } from './options.ts'
import type { ClientLogger } from './types.ts'

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

/** One day: no timer waits longer than three weeks, and nobody means to. */
const MAX_MILLIS = 86_400_000
const MAX_COUNT = 10_000_000
const MAX_BYTES = 2 ** 40
const millis = OptionRule.integer(1, MAX_MILLIS)

/** What is inside is not printed: it may be a credential. */
const header: OptionRule = { ...OptionRule.text('text'), allows: isText, isSecret: true }
const pem: OptionRule = {
  allowed: 'text or a Buffer, in PEM',
  allows: (value) => isText(value) || Buffer.isBuffer(value),
  isSecret: true,
}
const pattern: OptionRule = {
  allowed: 'a regular expression',
  allows: (value) => value instanceof RegExp,
}

const RULES: OptionRules<OptionName> = {
  endpoint: { allowed: 'an http or https URL', allows: (value) => toHttpUrl(value) !== null },
  protocol: OptionRule.oneOf('http/protobuf', 'http/json'),
  headers: OptionRule.either(
    'an object of strings, or a function',
    OptionRule.function,
    OptionRule.mapOf('an object of strings', header),
  ),
  compression: OptionRule.oneOf('none', 'gzip'),
  tls: OptionRule.options('an object with ca, cert or key', { ca: pem, cert: pem, key: pem }),
  exporter: OptionRule.objectWith('a LogRecordExporter', 'export'),
  loggerProvider: OptionRule.objectWith('a LoggerProvider', 'getLogger'),
  batchSize: OptionRule.integer(1, 10_000),
  flushIntervalMillis: millis,
  maxQueueSize: OptionRule.integer(1, MAX_COUNT),
  maxQueueBytes: OptionRule.integer(1024, MAX_BYTES),
  queueFullPolicy: OptionRule.oneOf('dropNewest', 'dropOldest'),
  maxPayloadBytes: OptionRule.integer(64, 2 ** 28),
  concurrencyLimit: OptionRule.integer(1, 100),
  maxRetryAttempts: OptionRule.integer(0, 1000),
  retryInitialDelayMillis: millis,
  retryBackoffFactor: OptionRule.number(1, 10),
  retryMaxDelayMillis: millis,
  retryJitter: OptionRule.number(0, 1),
  exportTimeoutMillis: millis,
  flushTimeoutMillis: millis,
  shutdownTimeoutMillis: millis,
  spool: OptionRule.text('the path of a directory'),
  maxSpoolBytes: OptionRule.integer(1024, MAX_BYTES),
  durability: OptionRule.oneOf('memory', 'disk'),
  redact: OptionRule.either(
    'a boolean or an object',
    OptionRule.boolean,
    OptionRule.options('an object with patterns, keys or defaults', {
      patterns: OptionRule.listOf('an array of regular expressions', pattern),
      keys: OptionRule.listOf(
        'an array of names and regular expressions',
        OptionRule.either('a name or a regular expression', OptionRule.text('a name'), pattern),
      ),
      defaults: OptionRule.boolean,
    }),
  ),
  resourceAttributes: OptionRule.objectWith('an object'),
  onDrop: OptionRule.function,
  logger: OptionRule.objectWith('an object with the methods warn and info', 'warn', 'info'),
  meterProvider: OptionRule.objectWith('a MeterProvider', 'getMeter'),
  disabled: OptionRule.boolean,
}

export const OPTION_NAMES = Object.keys(RULES) as readonly OptionName[]

/**
 * Options, environment and defaults as one checked configuration; the earlier ones win.
 * @throws TypeError that names the wrong option, its value and what is allowed
 */
export function resolveConfig(
  options: HookClientOptions,
  env: NodeJS.ProcessEnv = process.env,
): ClientConfig {
  const given = checkOptions<HookClientOptions>('HookClient', RULES, options)
  const logger = given.logger ?? DEFAULTS.logger
  const config = { ...DEFAULTS, ...fromEnvironment(env, given, logger), ...given }
  if (config.durability === 'disk' && !config.spool) {
    throw new TypeError('HookClient option durability is "disk"; it needs the option spool, a directory')
  }
  if (config.exporter && config.loggerProvider) {
    throw new TypeError('HookClient options exporter and loggerProvider exclude each other')
  }
  const endpoint = given.endpoint ? logsUrl(given.endpoint) : new URL(config.endpoint)
  return Object.freeze({ ...config, endpoint })
}

/** What the environment sets, without what cannot be used. */
function fromEnvironment(
  env: NodeJS.ProcessEnv,
  given: HookClientOptions,
  logger: ClientLogger,
): Partial<HookClientOptions> {
  const warn = variableWarner((message) => logger.warn(message), given.logger)
  const reader = { problemWith, parseKeyPairs: parseKeyPairsIntoRecord, warn }
  const { spool: directory, durability, ...options } = environmentOptions(env, reader)
  const delivers = !(given.disabled ?? options.disabled) && !given.loggerProvider
  const isUsable = directory && (!delivers || given.spool || canMakeDirectory(directory, warn))
  const spool = isUsable ? directory : undefined
  const isPossible = durability !== 'disk' || given.spool || spool
  if (!isPossible && delivers && !given.durability) {
    warn("AGENTIC_HOOKS_DURABILITY is 'disk'; it needs AGENTIC_HOOKS_SPOOL, so it is ignored")
  }
  return { ...options, ...(spool && { spool }), ...(isPossible && durability && { durability }) }
}

/** What is wrong with the value of a variable; the text is what a person has written, and what a message shows. */
function problemWith(option: OptionName, variable: string, text: string, value: unknown): string | null {
  const rule = RULES[option]
  return problemWithValue(variable, { ...rule, allows: () => rule.allows(value) }, text)
}

/** A spool that the environment names must not take the client away from an agent that does not know of it. */
function canMakeDirectory(path: string, warn: (message: string) => void): boolean {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return true
  } catch (error) {
    warn(`AGENTIC_HOOKS_SPOOL names a directory that cannot be made, so it is ignored: ${error}`)
    return false
  }
}

/** The URL for log records: `/v1/logs` joins a base URL that does not end with it. */
function logsUrl(endpoint: string | URL): URL {
  const url = new URL(endpoint)
  if (!url.pathname.endsWith(LOGS_PATH)) url.pathname = url.pathname.replace(/\/$/, '') + LOGS_PATH
  return url
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function toHttpUrl(value: unknown): URL | null {
  const url = typeof value === 'string' || value instanceof URL ? URL.parse(String(value)) : null
  return url && (url.protocol === 'http:' || url.protocol === 'https:') ? url : null
}
