import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { MAX_NAME_LENGTH } from '@agentic-hooks/events'
import type { HookClientOptions, TlsOptions } from './options.ts'
import type { SessionIdResolver } from './types.ts'

/*
 * Every environment variable of the client and of the instrumentations is read here, and means the same with the
 * preload and without. A wrong one is warned of once, by name, and ignored. The preload reads its switches before
 * anything else is loaded, so this file imports nothing that takes long to load.
 */

type Environment = NodeJS.ProcessEnv
type Warn = (message: string) => void
type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** The libraries, as the switches call them. */
export const LIBRARY_NAMES = [
  'ai',
  'anthropic',
  'claude-agent-sdk',
  'google-genai',
  'langchain',
  'mcp',
  'openai',
  'openai-agents',
] as const
export type LibraryName = (typeof LIBRARY_NAMES)[number]

// One per process, so that several copies of this package, and several clients, do not say the same again.
const WARNED = Symbol.for('agentic-hooks.warned-variables')
const globals = globalThis as { [WARNED]?: WeakMap<object, Set<string>> }

/**
 * Warns of each variable once per logger; all clients without a logger of their own, and the instrumentations, count
 * as one.
 */
export function variableWarner(write: Warn, logger: object = process): Warn {
  globals[WARNED] ??= new WeakMap()
  const warned = globals[WARNED].get(logger) ?? new Set()
  globals[WARNED].set(logger, warned)
  return (message) => {
    const variable = message.slice(0, message.indexOf(' '))
    if (warned.has(variable)) return
    warned.add(variable)
    write(message)
  }
}

const warnOnProcess: Warn = (message) => {
  variableWarner((once) => process.emitWarning(once, { type: 'AgenticHooksWarning' }))(message)
}

/** How the client's options are checked and parsed. */
export interface OptionReader {
  /** What is wrong with a value, as a sentence that starts with the variable and shows its text. */
  problemWith(option: keyof HookClientOptions, variable: string, text: string, value: unknown): string | null
  /** `a=1,b=2` with values in percent-encoding. */
  parseKeyPairs(text: string): Record<string, string>
  warn: Warn
}

/**
 * The client's options that the environment sets, by OpenTelemetry's variables (specification, SDK environment
 * variables and OTLP exporter) and by AGENTIC_HOOKS_*. Those of the logs signal beat the general ones.
 */
export function environmentOptions(env: Environment, reader: OptionReader): Partial<HookClientOptions> {
  const { problemWith, parseKeyPairs, warn } = reader
  const options: Writable<HookClientOptions> = {}

  const set = <Name extends keyof HookClientOptions>(
    option: Name,
    variables: readonly string[],
    parse: (text: string, variable: string) => unknown,
  ) => {
    for (const variable of variables) {
      const text = textOf(env, variable)
      if (text === undefined) continue
      const value = parse(text, variable)
      const problem = problemWith(option, variable, text, value)
      if (problem) {
        warn(`${problem}, so it is ignored`)
      } else {
        options[option] = value as HookClientOptions[Name]
        return
      }
    }
  }

  set('endpoint', signalThenGeneral('ENDPOINT'), endpointOf)
  set('protocol', signalThenGeneral('PROTOCOL'), asText)
  set('headers', signalThenGeneral('HEADERS'), parseKeyPairs)
  set('compression', signalThenGeneral('COMPRESSION'), asText)
  set('exportTimeoutMillis', signalThenGeneral('TIMEOUT'), Number)
  set('flushIntervalMillis', ['OTEL_BLRP_SCHEDULE_DELAY'], Number)
  set('flushTimeoutMillis', ['OTEL_BLRP_EXPORT_TIMEOUT'], Number)
  set('maxQueueSize', ['OTEL_BLRP_MAX_QUEUE_SIZE'], Number)
  set('batchSize', ['OTEL_BLRP_MAX_EXPORT_BATCH_SIZE'], Number)
  set('spool', ['AGENTIC_HOOKS_SPOOL'], asText)
  set('durability', ['AGENTIC_HOOKS_DURABILITY'], asText)
  const redact = booleanOf(env, 'AGENTIC_HOOKS_REDACT', warn)
  const disabled = booleanOf(env, 'OTEL_SDK_DISABLED', warn)
  const tls = tlsOf(env, warn)
  return {
    ...options,
    ...(redact !== undefined && { redact }),
    ...(disabled !== undefined && { disabled }),
    ...(tls && { tls }),
  }
}

/** OTEL_SDK_DISABLED: nothing is instrumented, and clients do nothing. */
export function isSdkDisabled(): boolean {
  return booleanOf(process.env, 'OTEL_SDK_DISABLED', warnOnProcess) ?? false
}

/**
 * Whether a library is instrumented: AGENTIC_HOOKS_ENABLED_INSTRUMENTATIONS names those that are (default: all),
 * AGENTIC_HOOKS_DISABLED_INSTRUMENTATIONS those that are not and goes first.
 */
export function isInstrumented(framework: string): boolean {
  if (isSdkDisabled()) return false
  if (listOf('AGENTIC_HOOKS_DISABLED_INSTRUMENTATIONS', LIBRARY_NAMES)?.has(framework)) return false
  return listOf('AGENTIC_HOOKS_ENABLED_INSTRUMENTATIONS', LIBRARY_NAMES)?.has(framework) ?? true
}

/** `custom` is what `instrumentTool` reports. */
const CAPTURE_NAMES = ['true', 'false', ...LIBRARY_NAMES, 'custom']
const CAPTURE_ON = ['true', 'event_only', 'span_and_event']
const CAPTURE_OFF = ['false', 'no_content', 'span_only']

/**
 * Whether a library's events carry prompts, answers, tool inputs and outputs: AGENTIC_HOOKS_CAPTURE_CONTENT is
 * `true`, `false` or the list of libraries that do. Unset, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
 * decides, whose values for events are `true` and `EVENT_ONLY` or `SPAN_AND_EVENT`. Default: yes. A value that
 * cannot be understood captures nothing: it may have been meant to.
 */
export function capturesContent(framework: string): boolean {
  const names = listOf('AGENTIC_HOOKS_CAPTURE_CONTENT', CAPTURE_NAMES)
  if (names) return names.has('true') || names.has(framework)
  const variable = 'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT'
  const text = textOf(process.env, variable)?.toLowerCase()
  if (text === undefined || CAPTURE_ON.includes(text)) return true
  if (!CAPTURE_OFF.includes(text)) {
    const allowed = [...CAPTURE_ON, ...CAPTURE_OFF].join(', ')
    warnOnProcess(`${variable} is ${quoted(text)}; it must be one of ${allowed}, so no content is captured`)
  }
  return false
}

/** AGENTIC_HOOKS_SESSION_ID: the session of everything that nothing else puts into another one. */
export function environmentSessionId(): string | undefined {
  const sessionId = textOf(process.env, 'AGENTIC_HOOKS_SESSION_ID')
  if (sessionId === undefined || sessionId.length <= MAX_NAME_LENGTH) return sessionId
  warnOnProcess(
    `AGENTIC_HOOKS_SESSION_ID is ${quoted(sessionId)}; it must have at most ${MAX_NAME_LENGTH} characters, so it is ignored`,
  )
  return undefined
}

let resolver: SessionIdResolver | undefined
let isResolverLoaded = false

/** AGENTIC_HOOKS_SESSION_RESOLVER: the path of a module whose default export names the session of each call. */
export function environmentSessionIdResolver(): SessionIdResolver | undefined {
  if (!isResolverLoaded) resolver = loadResolver()
  isResolverLoaded = true
  return resolver
}

function loadResolver(): SessionIdResolver | undefined {
  const variable = 'AGENTIC_HOOKS_SESSION_RESOLVER'
  const path = textOf(process.env, variable)
  if (path === undefined) return undefined
  try {
    const exports = createRequire(pathToFileURL(`${process.cwd()}/`))(path)
    const exported = exports?.default ?? exports
    if (typeof exported === 'function') return exported
    warnOnProcess(`${variable} is ${quoted(path)}; its default export must be a function, so it is ignored`)
  } catch (error) {
    warnOnProcess(`${variable} is ${quoted(path)}; it cannot be loaded, so it is ignored: ${error}`)
  }
  return undefined
}

/** Without spaces around; an empty variable counts as unset. */
function textOf(env: Environment, variable: string): string | undefined {
  return env[variable]?.trim() || undefined
}

function booleanOf(env: Environment, variable: string, warn: Warn): boolean | undefined {
  const text = textOf(env, variable)
  if (text === undefined) return undefined
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  warn(`${variable} is ${quoted(text)}; it must be true or false, so it is ignored`)
  return undefined
}

/** A comma-separated list of names; undefined when it has none. */
function listOf(variable: string, known: readonly string[]): ReadonlySet<string> | undefined {
  const names = (process.env[variable] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter(Boolean)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    warnOnProcess(`${variable} has ${quoted(unknown)}, which is ignored; there are ${known.join(', ')}`)
  }
  return names.length > 0 ? new Set(names) : undefined
}

function quoted(text: string): string {
  return inspect(text, { maxStringLength: 80 })
}

function signalThenGeneral(name: string): readonly string[] {
  return [`OTEL_EXPORTER_OTLP_LOGS_${name}`, `OTEL_EXPORTER_OTLP_${name}`]
}

function asText(text: string): string {
  return text
}

/** The signal's endpoint is used as it is; the general one is a base URL. */
function endpointOf(text: string, variable: string): URL | string {
  const url = URL.parse(text)
  if (!url) return text
  if (!variable.includes('_LOGS_')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/logs`
  return url
}

function tlsOf(env: Environment, warn: Warn): TlsOptions | null {
  const read = (name: string): Buffer | undefined => {
    for (const variable of signalThenGeneral(name)) {
      const path = textOf(env, variable)
      if (path === undefined) continue
      try {
        return readFileSync(path)
      } catch (error) {
        warn(`${variable} names a file that cannot be read, so it is ignored: ${error}`)
      }
    }
    return undefined
  }
  const ca = read('CERTIFICATE')
  const cert = read('CLIENT_CERTIFICATE')
  const key = read('CLIENT_KEY')
  return ca || cert || key ? { ca, cert, key } : null
}
