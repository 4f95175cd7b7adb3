import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  ConfigError,
  environmentName,
  flagName,
  OPTIONS,
  type Option,
  readConfig,
} from '../src/config/options.ts'
import { exporterSpecs } from '../src/storage/load.ts'

describe('readConfig', () => {
  it('listens on port 4318 of the loopback and stores lines, when nothing is set', () => {
    const config = readConfig({})
    expect(config).toMatchObject({
      port: [4318],
      host: '127.0.0.1',
      storageType: 'auto',
      jsonlPath: '.agentic/analytics/events.jsonl',
      maxBodyBytes: 64 * 1024 * 1024,
      hookTimeoutMillis: 250,
      logLevel: 'info',
    })
    expect(config.databaseUrl).toBeUndefined()
  })

  it('is frozen', () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true)
  })

  it('takes a flag before the environment, and the environment before the default', () => {
    const environment = { JSONL_PATH: 'environment.jsonl' }
    expect(readConfig(environment, { 'jsonl-path': 'flag.jsonl' }).jsonlPath).toBe('flag.jsonl')
    expect(readConfig(environment).jsonlPath).toBe('environment.jsonl')
  })

  it('takes an empty value as none, as compose files leave them', () => {
    expect(readConfig({ DATABASE_URL: '', PORT: '' })).toMatchObject({ port: [4318] })
    expect(readConfig({ DATABASE_URL: '' }).databaseUrl).toBeUndefined()
  })

  it('takes an option by its former name too, and by the new one first', () => {
    const former = { SPOOL_MAX_BYTES: '2MiB' }
    expect(readConfig(former).maxSpoolBytes).toBe(2 ** 21)
    expect(readConfig({}, { 'spool-max-bytes': '2MiB' }).maxSpoolBytes).toBe(2 ** 21)
    expect(readConfig({ ...former, MAX_SPOOL_BYTES: '3MiB' }).maxSpoolBytes).toBe(3 * 2 ** 20)
    expect(() => readConfig({ SPOOL_MAX_BYTES: 'x' })).toThrow('SPOOL_MAX_BYTES is "x"; it must be')
  })

  it('takes several ports', () => {
    expect(readConfig({ PORT: '4318, 8080' }).port).toEqual([4318, 8080])
  })

  it.each([
    ['1024', 1024],
    ['2KiB', 2048],
    ['64mib', 64 * 1024 * 1024],
    ['1GiB', 1024 * 1024 * 1024],
  ])('takes %s as a number of bytes', (value, bytes) => {
    expect(readConfig({ MAX_BODY_BYTES: value, MAX_BYTES_IN_FLIGHT: '1GiB' }).maxBodyBytes).toBe(bytes)
  })

  it.each([
    [
      { PORT: 'http' },
      'PORT is "http"; it must be one or several integers from 0 to 65535, separated by commas',
    ],
    [{ PORT: '4318,70000' }, 'PORT is "4318,70000"; it must be'],
    [{ PORT: ',' }, 'PORT is ","; it must be'],
    [{ STORAGE_TYPE: 'mysql' }, 'STORAGE_TYPE is "mysql"; it must be one of auto | postgres | jsonl'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is "loud"; it must be one of'],
    [{ MAX_BODY_BYTES: '64MB' }, 'MAX_BODY_BYTES is "64MB"; it must be a number of bytes'],
    [{ MAX_BODY_BYTES: '-1' }, 'MAX_BODY_BYTES is "-1"; it must be a number of bytes'],
    [{ EXPORT_RETRY_MILLIS: '1.5' }, 'EXPORT_RETRY_MILLIS is "1.5"; it must be milliseconds'],
    [{ EXPORTERS: '[{"name":"x"}]' }, 'EXPORTERS is not allowed; it must be package names'],
    [
      { EXPORTERS: '[{"package":"x","option":{"databaseUrl":"secret"}}]' },
      'objects: an exporter has no option option; did you mean options? The options are package, options',
    ],
    [
      { EXPORTERS: '[{"package":"x","options":"secret"}]' },
      'an exporter option options is not allowed; it must be an object',
    ],
    [
      { EXPORTERS: '[{"package":"x","__proto__":{"options":{}}}]' },
      'an exporter has no option __proto__; the options are package, options',
    ],
    [{ EXPORTERS: '["x"' }, 'EXPORTERS is not allowed; it must be package names'],
    [{ EXPORTERS: ' , ' }, 'EXPORTERS is not allowed; it must be package names'],
    [{ EXPORTERS: '[]' }, 'EXPORTERS is not allowed; it must be package names'],
    [{ CORS_ORIGINS: ',' }, 'CORS_ORIGINS is ","; it must be origins'],
    [{ AUTH_TOKENS: ',' }, 'AUTH_TOKENS is not allowed; it must be one or several tokens'],
    [{ AUTH_TOKENS: ' , ,' }, 'AUTH_TOKENS is not allowed; it must be one or several tokens'],
    [{ AUTH_TOKENS: '\t' }, 'AUTH_TOKENS is not allowed; it must be one or several tokens'],
    [{ AUTH_TOKENS: '""' }, 'AUTH_TOKENS is not allowed; it must be one or several tokens'],
    [{ AUTH_TOKENS: 'one,se cret' }, 'each of visible ASCII characters without blanks and quotes'],
    [{ AUTH_TOKENS: 'gehe\u00efm' }, 'each of visible ASCII characters without blanks and quotes'],
  ])('refuses %j and says what is allowed', (environment, message) => {
    expect(() => readConfig(environment)).toThrow(ConfigError)
    expect(() => readConfig(environment)).toThrow(message)
  })

  it('names the flag when it is the flag that is wrong', () => {
    expect(() => readConfig({}, { port: 'x' })).toThrow('--port is "x"; it must be')
  })

  it('never repeats a secret', () => {
    const secret = 'mysql://user:hunter2@host'
    expect(() => readConfig({ DATABASE_URL: secret })).toThrow(
      /^DATABASE_URL is not allowed; it must be a URL/,
    )
  })

  it.each([
    [{ MAX_BODY_BYTES: '2MiB', MAX_BYTES_IN_FLIGHT: '1MiB' }, 'must be at least MAX_BODY_BYTES'],
    [{ STORAGE_TYPE: 'postgres' }, 'it needs DATABASE_URL'],
    [{ STORAGE_TYPE: 'postgres,jsonl' }, 'it needs DATABASE_URL'],
    [{ STORAGE_TYPE: 'jsonl', EXPORTERS: 'mine' }, 'EXPORTERS and STORAGE_TYPE are both set'],
    [{ TLS_CERT_FILE: 'cert.pem' }, 'must be set together'],
    [{ TLS_CLIENT_CA_FILE: 'ca.pem' }, 'needs TLS_CERT_FILE'],
    [{ HOOK_TIMEOUT_MILLIS: '9000' }, 'must be at most EXPORT_TIMEOUT_MILLIS'],
    [{ HEADERS_TIMEOUT_MILLIS: '90000' }, 'must be at most REQUEST_TIMEOUT_MILLIS'],
  ])('refuses %j, which contradict each other', (environment, message) => {
    expect(() => readConfig(environment)).toThrow(message)
  })
})

describe('the table of options', () => {
  it.each(Object.keys(OPTIONS))(
    'spells %s the same way in the environment and on the command line',
    (name) => {
      expect(environmentName(name)).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
      expect(flagName(name)).toBe(environmentName(name).toLowerCase().replaceAll('_', '-'))
    },
  )
})

describe('docs/operate/receiver.md', () => {
  const text = readFileSync(new URL('../../docs/operate/receiver.md', import.meta.url), 'utf8')

  it.each(Object.entries<Option>(OPTIONS))(
    'has %s with its default',
    (name, { default: byDefault, help }) => {
      const shown = byDefault === undefined ? '' : `\`${byDefault}\``
      expect(text).toContain(`| \`${environmentName(name)}\` | ${shown} | ${help} |`)
    },
  )
})

describe('exporterSpecs', () => {
  const databaseUrl = 'postgres://localhost/hooks'
  const postgres = { package: '@agentic-hooks/exporter-postgres', options: { databaseUrl } }
  const jsonl = { package: '@agentic-hooks/exporter-jsonl', options: { path: 'e.jsonl' } }

  it.each([
    ['auto without DATABASE_URL', { JSONL_PATH: 'e.jsonl' }, [jsonl]],
    ['auto with DATABASE_URL', { DATABASE_URL: databaseUrl }, [postgres]],
    [
      'jsonl beside DATABASE_URL',
      { DATABASE_URL: databaseUrl, STORAGE_TYPE: 'jsonl', JSONL_PATH: 'e.jsonl' },
      [jsonl],
    ],
    [
      'both',
      { DATABASE_URL: databaseUrl, STORAGE_TYPE: 'postgres,jsonl', JSONL_PATH: 'e.jsonl' },
      [postgres, jsonl],
    ],
  ])('makes STORAGE_TYPE %s', (_name, environment, specs) => {
    expect(exporterSpecs(readConfig(environment))).toMatchObject(specs)
  })

  it('takes a list of names', () => {
    const config = readConfig({ EXPORTERS: 'jsonl, my-exporter', JSONL_PATH: 'e.jsonl' })
    expect(exporterSpecs(config)).toEqual([jsonl, { package: 'my-exporter' }])
  })

  it('takes packages with options, which win over those of the short names', () => {
    const entries = [
      { package: 'my-exporter', options: { bucket: 'b' } },
      { package: 'jsonl', options: { path: 'x' } },
    ]
    expect(exporterSpecs(readConfig({ EXPORTERS: JSON.stringify(entries) }))).toEqual([
      { package: 'my-exporter', options: { bucket: 'b' } },
      { package: '@agentic-hooks/exporter-jsonl', options: { path: 'x' } },
    ])
  })
})
