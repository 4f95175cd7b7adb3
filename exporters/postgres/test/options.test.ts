import { describe, expect, it } from 'vitest'
import { createExporter } from '../src/index.ts'

const databaseUrl = 'postgres://user:secret@localhost/db'

describe('createExporter', () => {
  it.each([
    [
      {},
      'option databaseUrl must be a URL such as postgres://user:password@localhost:5432/database, not missing',
    ],
    [{ databaseUrl: 'mysql://localhost/db' }, 'option databaseUrl must be a URL'],
    [
      { databaseUrl: 7 },
      'option databaseUrl must be a URL such as postgres://user:password@localhost:5432/database, not a number',
    ],
    [{ databaseUrl, connections: 0 }, 'option connections must be an integer from 1 to 100, not 0'],
    [{ databaseUrl, connections: '2' }, 'option connections must be an integer from 1 to 100, not "2"'],
    [
      { databaseUrl, writeTimeoutMillis: 1.5 },
      'option writeTimeoutMillis must be an integer from 1 to 2147483647, not 1.5',
    ],
    [{ databaseUrl, partitionBy: 'week' }, 'option partitionBy must be "day" or "month", not "week"'],
    [{ databaseUrl, retentionDays: 0 }, 'option retentionDays must be an integer from 1, or null, not 0'],
    [{ databaseUrl, manageSchema: 'yes' }, 'option manageSchema must be true or false, not "yes"'],
    [{ databaseUrl, logger: console.log }, 'option logger must be an object with the methods info and warn'],
    [{ databaseUrl, retention: 3 }, 'unknown option retention; known are databaseUrl, connections,'],
    [{ databaseUrl, constructor: 3 }, 'unknown option constructor; known are'],
    [JSON.parse('{"__proto__":3}'), 'unknown option __proto__; known are'],
  ])('refuses %j by name', (options, message) => {
    expect(() => createExporter(options)).toThrow(`exporter-postgres: ${message}`)
  })

  it('never repeats the password', () => {
    expect(() => createExporter({ databaseUrl: 'postgres//user:secret@localhost' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })

  it('takes undefined for the default', () => {
    expect(createExporter({ databaseUrl, retentionDays: undefined, logger: undefined }).name).toBe('postgres')
  })

  it('takes Unix sockets', () => {
    expect(createExporter({ databaseUrl: 'postgres:///db?host=/var/run/postgresql' }).idempotent).toBe(true)
  })
})
