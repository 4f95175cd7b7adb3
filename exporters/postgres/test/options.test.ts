import { describe, expect, it } from 'vitest'
import { createExporter } from '../src/index.ts'

const databaseUrl = 'postgres://user:secret@localhost/db'

describe('createExporter', () => {
  it.each([
    [
      {},
      'option databaseUrl is missing; it must be a URL such as postgres://user:password@localhost:5432/database',
    ],
    [
      { databaseUrl: 'mysql://localhost/db' },
      'option databaseUrl is not allowed; it must be a URL such as postgres://',
    ],
    [{ databaseUrl: 7 }, 'option databaseUrl is of the type number; it must be a URL such as postgres://'],
    [{ databaseUrl, connections: 0 }, 'option connections is 0; it must be an integer from 1 to 100'],
    [{ databaseUrl, connections: '2' }, "option connections is '2'; it must be an integer from 1 to 100"],
    [
      { databaseUrl, writeTimeoutMillis: 1.5 },
      'option writeTimeoutMillis is 1.5; it must be an integer from 1 to 2,147,483,647',
    ],
    [{ databaseUrl, partitionBy: 'week' }, "option partitionBy is 'week'; it must be day or month"],
    [
      { databaseUrl, retentionDays: 0 },
      'option retentionDays is 0; it must be an integer from 1 to 100,000, or null',
    ],
    [{ databaseUrl, manageSchema: 'yes' }, "option manageSchema is 'yes'; it must be true or false"],
    [
      { databaseUrl, retention: 3 },
      'has no option retention; did you mean retentionDays? The options are databaseUrl, connections,',
    ],
    [{ databaseUrl, toString: 1 }, 'has no option toString; the options are databaseUrl,'],
    [JSON.parse('{"__proto__": {}}'), 'has no option __proto__; the options are databaseUrl,'],
  ])('refuses %j by name', (options, message) => {
    expect(() => createExporter(options)).toThrow(`exporter-postgres ${message}`)
  })

  it('never repeats the password', () => {
    expect(() => createExporter({ databaseUrl: 'postgres//user:secret@localhost' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })

  it('takes undefined for the default', () => {
    expect(createExporter({ databaseUrl, retentionDays: undefined }).name).toBe('postgres')
  })

  it('takes Unix sockets', () => {
    expect(createExporter({ databaseUrl: 'postgres:///db?host=/var/run/postgresql' }).idempotent).toBe(true)
  })
})
