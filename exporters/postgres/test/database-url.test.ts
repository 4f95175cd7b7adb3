import { describe, expect, it } from 'vitest'
import { databaseHosts } from '../src/connection/database-url.ts'
import { createExporter } from '../src/index.ts'

const hrefs = (url: string) => databaseHosts(url).map(({ url }) => url.href)

describe('a database URL', () => {
  it('keeps user, password, database and parameters', () => {
    const url = 'postgres://me:p%40ss%2Fword@db.example:6432/hooks?sslmode=require&application_name=x'
    expect(hrefs(url)).toEqual([url])
  })

  it.each([
    [
      'postgres://me:secret@/hooks?host=/run/postgresql',
      'postgres://me:secret@localhost/hooks?host=%2Frun%2Fpostgresql',
    ],
    ['postgres://me@%2Frun%2Fpostgresql/hooks', 'postgres://me@localhost/hooks?host=%2Frun%2Fpostgresql'],
    ['postgres://me@/hooks?host=db&port=6432', 'postgres://me@db:6432/hooks'],
    ['postgresql://[::1]:5433/hooks', 'postgresql://[::1]:5433/hooks'],
  ])('names one host as libpq reads %s', (url, href) => {
    expect(hrefs(url)).toEqual([href])
  })

  it('names several hosts, of which one that takes writes is wanted', () => {
    const hosts = databaseHosts('postgres://me:secret@one:5432,two:5433/hooks')
    expect(hosts.map(({ url }) => url.host)).toEqual(['one:5432', 'two:5433'])
    expect(hosts.every(({ mustBeWritable }) => mustBeWritable)).toBe(true)
    const any = databaseHosts('postgres://one,two/hooks?target_session_attrs=any')
    expect(any.every(({ mustBeWritable }) => mustBeWritable)).toBe(false)
  })

  it.each([
    'postgres://user:secret@one:notaport/hooks',
    'postgres://user:secret@one/hooks?target_session_attrs=standby',
    'http://user:secret@one/hooks',
  ])('that cannot be used is refused by a sentence without its password: %s', (databaseUrl) => {
    expect(() => createExporter({ databaseUrl })).toThrow(
      /option databaseUrl (cannot be used|is not allowed)/,
    )
    expect(() => createExporter({ databaseUrl })).not.toThrow(/secret/)
  })

  it.each(['constructor', '__proto__', 'toString'])('option %s is unknown', (name) => {
    const options = Object.fromEntries([
      ['databaseUrl', 'postgres://localhost/x'],
      [name, 1],
    ])
    expect(() => createExporter(options)).toThrow(`has no option ${name}`)
  })
})
