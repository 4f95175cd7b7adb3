import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { HookClient, type HookClientOptions, InMemoryExporter } from '../../src/index.ts'
import { resolveConfig } from '../../src/options/config.ts'

describe('a wrong option throws a message that names it', () => {
  it.each([
    [{ batchSize: 0 }, 'HookClient option batchSize is 0; it must be an integer from 1 to 10,000'],
    [{ batchSize: 1.5 }, 'HookClient option batchSize is 1.5; it must be an integer from 1 to 10,000'],
    [
      { maxQueueSize: '10' },
      "HookClient option maxQueueSize is '10'; it must be an integer from 1 to 10,000,000",
    ],
    [{ retryJitter: 2 }, 'HookClient option retryJitter is 2; it must be a number from 0 to 1'],
    [
      { flushIntervalMillis: Number.NaN },
      'HookClient option flushIntervalMillis is NaN; it must be an integer from 1',
    ],
    [{ endpoint: 'localhost:4318' }, "option endpoint is 'localhost:4318'; it must be an http or https URL"],
    [{ endpoint: 'ftp://x' }, "HookClient option endpoint is 'ftp://x'; it must be an http or https URL"],
    [{ protocol: 'grpc' }, "HookClient option protocol is 'grpc'; it must be http/protobuf or http/json"],
    [{ queueFullPolicy: 'block' }, 'it must be dropNewest or dropOldest'],
    [
      { headers: 'a=1' },
      "HookClient option headers is 'a=1'; it must be an object of strings, or a function",
    ],
    [
      { headers: { a: 'secret', b: 1 } },
      'HookClient option headers.b is of the type number; it must be text',
    ],
    [{ tls: { cart: 'PEM' } }, 'HookClient has no option tls.cart; did you mean tls.cert?'],
    [
      { tls: { key: 7 } },
      'HookClient option tls.key is of the type number; it must be text or a Buffer, in PEM',
    ],
    [{ redact: { pattern: [] } }, 'HookClient has no option redact.pattern; did you mean redact.patterns?'],
    [{ redact: { patterns: ['x'] } }, "redact.patterns[0] is 'x'; it must be a regular expression"],
    [{ redact: { keys: /x/ } }, 'option redact.keys is /x/; it must be an array of names and regular'],
    [{ logger: { warn() {} } }, 'it must be an object with the methods warn and info'],
    [{ exporter: {} }, 'HookClient option exporter is {}; it must be a LogRecordExporter'],
    [{ onDrop: true }, 'HookClient option onDrop is true; it must be a function'],
    [
      { durability: 'disk' },
      'HookClient option durability is "disk"; it needs the option spool, a directory',
    ],
    [{ exporter: new InMemoryExporter(), loggerProvider: { getLogger() {} } }, 'exclude each other'],
    [
      { flushInterval: 1 },
      'HookClient has no option flushInterval; did you mean flushIntervalMillis? The options are endpoint,',
    ],
    [JSON.parse('{"__proto__": {"disabled": true}}'), 'HookClient has no option __proto__;'],
    [{ constructor: 1 }, 'HookClient has no option constructor;'],
    [null, 'HookClient options are null; they must be an object'],
    [{ spool: '/dev/null/x' }, 'ENOTDIR'],
  ])('%o', (options, message) => {
    expect(() => new HookClient(options as HookClientOptions)).toThrow(message)
  })

  it('and undefined is no value at all', () => {
    expect(resolveConfig({ batchSize: undefined }, {}).batchSize).toBe(50)
  })
})

describe('the environment', () => {
  const resolve = (env: Record<string, string>, options: HookClientOptions = {}) =>
    resolveConfig(options, env)

  it('sets what OpenTelemetry has variables for', () => {
    expect(
      resolve({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/otel',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x,b=2',
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
        OTEL_EXPORTER_OTLP_TIMEOUT: '5000',
        OTEL_BLRP_SCHEDULE_DELAY: '100',
        OTEL_BLRP_EXPORT_TIMEOUT: '200',
        OTEL_BLRP_MAX_QUEUE_SIZE: '300',
        OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '30',
        OTEL_SDK_DISABLED: 'True',
        AGENTIC_HOOKS_REDACT: 'FALSE',
      }),
    ).toMatchObject({
      endpoint: new URL('http://collector:4318/otel/v1/logs'),
      protocol: 'http/json',
      headers: { authorization: 'Bearer x', b: '2' },
      compression: 'gzip',
      exportTimeoutMillis: 5000,
      flushIntervalMillis: 100,
      flushTimeoutMillis: 200,
      maxQueueSize: 300,
      batchSize: 30,
      disabled: true,
      redact: false,
    })
  })

  it('names a spool, which is made when it is not there', () => {
    const directory = mkdtempSync(join(tmpdir(), 'client-options-'))
    const spool = join(directory, 'a', 'spool')
    try {
      const env = { AGENTIC_HOOKS_SPOOL: spool, AGENTIC_HOOKS_DURABILITY: 'disk' }
      expect(resolve({ ...env, OTEL_SDK_DISABLED: 'true' })).toMatchObject({ spool, durability: 'disk' })
      expect(existsSync(spool)).toBe(false)
      expect(resolve(env)).toMatchObject({ spool, durability: 'disk' })
      expect(existsSync(spool)).toBe(true)
      expect(resolve(env, { durability: 'memory', spool: directory })).toMatchObject({
        spool: directory,
        durability: 'memory',
      })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('that asks for durability without a usable spool is warned of and ignored', () => {
    const logger = new MemoryLogger()
    const env = { AGENTIC_HOOKS_SPOOL: '/dev/null/spool', AGENTIC_HOOKS_DURABILITY: 'disk' }
    expect(resolve(env, { logger })).toMatchObject({ durability: 'memory' })
    expect(logger.warnings).toEqual([
      expect.stringContaining('AGENTIC_HOOKS_SPOOL names a directory that cannot be made, so it is ignored'),
      "AGENTIC_HOOKS_DURABILITY is 'disk'; it needs AGENTIC_HOOKS_SPOOL, so it is ignored",
    ])
  })

  it('is warned of once per logger', () => {
    const [one, other] = [new MemoryLogger(), new MemoryLogger()]
    const env = { AGENTIC_HOOKS_REDACT: 'no', OTEL_SDK_DISABLED: 'off', AGENTIC_HOOKS_DURABILITY: 'tape' }
    for (const logger of [one, one, other]) resolve(env, { logger })
    expect(one.warnings).toEqual([
      "AGENTIC_HOOKS_DURABILITY is 'tape'; it must be memory or disk, so it is ignored",
      "AGENTIC_HOOKS_REDACT is 'no'; it must be true or false, so it is ignored",
      "OTEL_SDK_DISABLED is 'off'; it must be true or false, so it is ignored",
    ])
    expect(other.warnings).toEqual(one.warnings)
  })

  it('of the logs signal beats the general one, and its endpoint is used as it is', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://general:4318',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://logs:4318/here',
      OTEL_EXPORTER_OTLP_TIMEOUT: '1',
      OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: '2',
    }
    expect(resolve(env)).toMatchObject({ endpoint: new URL('http://logs:4318/here'), exportTimeoutMillis: 2 })
  })

  it('is beaten by the code', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x',
      OTEL_BLRP_MAX_QUEUE_SIZE: '300',
      OTEL_SDK_DISABLED: 'true',
    }
    const options = { endpoint: 'http://code', maxQueueSize: 100, disabled: false }
    expect(resolve(env, options)).toMatchObject({ ...options, endpoint: new URL('http://code/v1/logs') })
  })

  it('with a wrong value is warned of and ignored', () => {
    const logger = new MemoryLogger()
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_BLRP_MAX_QUEUE_SIZE: 'many',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere/ca.pem',
    }
    expect(resolve(env, { logger })).toMatchObject({
      endpoint: new URL('http://localhost:4318/v1/logs'),
      protocol: 'http/protobuf',
      maxQueueSize: 2048,
    })
    expect(logger.warnings).toEqual([
      "OTEL_EXPORTER_OTLP_ENDPOINT is 'localhost'; it must be an http or https URL, so it is ignored",
      "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; it must be http/protobuf or http/json, so it is ignored",
      "OTEL_BLRP_MAX_QUEUE_SIZE is 'many'; it must be an integer from 1 to 10,000,000, so it is ignored",
      expect.stringContaining('OTEL_EXPORTER_OTLP_CERTIFICATE names a file that cannot be read'),
    ])
  })

  it('names the files of certificates', () => {
    const directory = mkdtempSync(join(tmpdir(), 'client-options-'))
    const path = join(directory, 'ca.pem')
    writeFileSync(path, 'PEM')
    try {
      const env = { OTEL_EXPORTER_OTLP_CERTIFICATE: path, OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: path }
      expect(resolve(env).tls).toEqual({ ca: Buffer.from('PEM'), key: Buffer.from('PEM') })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('the resource', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('comes from the process and the environment, and the option wins', async () => {
    vi.stubEnv('OTEL_SERVICE_NAME', 'from-env')
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'team=a,region=eu%20west')
    const exporter = new InMemoryExporter()
    await using client = new HookClient({ exporter, resourceAttributes: { team: 'b' } })
    client.emit({ eventType: 'custom', sessionId: 's' })
    await client.flush()
    expect(exporter.events[0]!.resource).toMatchObject({
      'service.name': 'from-env',
      'process.pid': process.pid,
      team: 'b',
      region: 'eu west',
    })
  })
})

it('a disabled client does nothing', async () => {
  const exporter = new InMemoryExporter()
  const client = new HookClient({ exporter, disabled: true })
  client.emit({ eventType: 'custom', sessionId: 's' })
  expect(await client.close()).toEqual({ delivered: 0, dropped: 0, spooled: 0, pending: 0 })
  expect(client.stats().emitted).toBe(0)
  expect(exporter.events).toEqual([])
})
