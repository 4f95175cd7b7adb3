import { readFileSync } from 'node:fs'
import { type OptionRules, problemWithValue } from '@agentic-hooks/events'
import { parseKeyPairsIntoRecord } from '@opentelemetry/core'
import type { HookClientOptions, TlsOptions } from './options.ts'

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/**
 * The options that OpenTelemetry's variables set (specification, SDK environment variables and OTLP exporter);
 * those of the logs signal beat the general ones. A wrong value is warned of and ignored.
 */
export function environmentOptions(
  env: NodeJS.ProcessEnv,
  rules: OptionRules<keyof HookClientOptions>,
  warn: (message: string) => void,
): Partial<HookClientOptions> {
  const options: Writable<HookClientOptions> = {}

  const set = <Name extends keyof HookClientOptions>(
    option: Name,
    variables: readonly string[],
    parse: (text: string, variable: string) => unknown,
  ) => {
    for (const variable of variables) {
      const text = env[variable]?.trim()
      if (!text) continue
      const value = parse(text, variable)
      // The text is what a person has written, and what a message has to show.
      const allows = () => rules[option].allows(value)
      const problem = problemWithValue(variable, { ...rules[option], allows }, text)
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
  set('headers', signalThenGeneral('HEADERS'), parseKeyPairsIntoRecord)
  set('compression', signalThenGeneral('COMPRESSION'), asText)
  set('exportTimeoutMillis', signalThenGeneral('TIMEOUT'), Number)
  set('flushIntervalMillis', ['OTEL_BLRP_SCHEDULE_DELAY'], Number)
  set('flushTimeoutMillis', ['OTEL_BLRP_EXPORT_TIMEOUT'], Number)
  set('maxQueueSize', ['OTEL_BLRP_MAX_QUEUE_SIZE'], Number)
  set('batchSize', ['OTEL_BLRP_MAX_EXPORT_BATCH_SIZE'], Number)
  set('disabled', ['OTEL_SDK_DISABLED'], (text) => text.toLowerCase() === 'true')
  const tls = tlsOf(env, warn)
  return tls ? { ...options, tls } : options
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

function tlsOf(env: NodeJS.ProcessEnv, warn: (message: string) => void): TlsOptions | null {
  const read = (name: string): Buffer | undefined => {
    for (const variable of signalThenGeneral(name)) {
      const path = env[variable]?.trim()
      if (!path) continue
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
