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
    ['postgres://me@one/x?ssl=true', 'postgres://me@one/x?sslmode=require'],
    ['postgres://me@one/x?sslrootcert=system', 'postgres://me@one/x?sslmode=verify-full'],
    ['postgres://me@one/?dbname=a%2Fb&port=6432&host=two', 'postgres://me@two:6432/a%2Fb'],
    [
      'postgres://me@one/x?keepalives=1&gssencmode=disable',
      'postgres://me@one/x?keepalives=1&gssencmode=disable',
    ],
  ])("says it in libpq's words: %s", (url, href) => {
    expect(hrefs(url)).toEqual([href])
  })

  it('may say how long a connection may take, in seconds, two at least', () => {
    const timeouts = ['', '?connect_timeout=0', '?connect_timeout=1', '?connect_timeout=15'].map(
      (search) => databaseHosts(`postgres://one/x${search}`)[0]?.connectTimeoutMillis,
    )
    expect(timeouts).toEqual([null, null, 2_000, 15_000])
  })

  it.each([
    ['postgres://user:xyzzy@one:notaport/hooks', 'its host "one:notaport" is not one'],
    ['postgres://user:xyzzy@one/hooks?target_session_attrs=standby', 'target_session_attrs is "standby"'],
    ['http://user:xyzzy@one/hooks', 'a URL such as'],
    ['postgres://user:xyz/zy@one/hooks', '%2F'],
    ['postgres://user:xyz@zy@one/hooks', '%40'],
    ['postgres://user:xyz#zy@one/hooks', '%23'],
    ['postgres://user:xyz?zy@one/hooks', '%3F'],
    ['postgres://user:123?xyzzy@one/hooks', '%3F'],
    ['postgres://user:123/xyzzy@one/hooks', '%2F'],
    ['postgres://user:xyzzy%@one/hooks', 'written as %25'],
    ['postgres://user:xyzzy%zz@one/hooks', 'written as %25'],
    [
      'postgres://user:xyzzy@one/hooks?sslmode=verify',
      'its sslmode is "verify"; it must be disable or allow or',
    ],
    [
      'postgres://user:xyzzy@one/hooks?sslmode=require&sslrootcert=system',
      'sslrootcert=system needs verify-full',
    ],
    ['postgres://user:xyzzy@one/hooks?channel_binding=yes', 'its channel_binding is "yes"'],
    ['postgres://user:xyzzy@one/hooks?connect_timeout=soon', 'its connect_timeout is "soon"'],
    ['postgres://user:xyzzy@one/hooks?schema=hooks', 'its parameter "schema" is not supported'],
    ['postgres://user:xyzzy@one/hooks?pgbouncer=true', 'its parameter "pgbouncer" is not supported'],
    ['postgres://user:xyzzy@one/hooks?hostaddr=10.0.0.1', 'its parameter "hostaddr" is not supported'],
    ['postgres://user:xyzzy@one/hooks?sslpassword=xyzzy', 'its parameter "sslpassword" is not supported'],
    ['postgres://user:xyzzy@one/hooks?__proto__=1', 'its parameter "__proto__" is not supported'],
    ['postgres://user:xyzzy@one/hooks?gssencmode=require', 'its gssencmode is "require"'],
  ])('that cannot be used is refused by a sentence without its password: %s', (databaseUrl, reason) => {
    expect(() => createExporter({ databaseUrl })).toThrow(
      /option databaseUrl (cannot be used|is not allowed)/,
    )
    expect(() => createExporter({ databaseUrl })).toThrow(new RegExp(reason))
    expect(() => createExporter({ databaseUrl })).not.toThrow(/xyz|zzy|zy@/)
  })

  it.each(['constructor', '__proto__', 'toString'])('option %s is unknown', (name) => {
    const options = Object.fromEntries([
      ['databaseUrl', 'postgres://localhost/x'],
      [name, 1],
    ])
    expect(() => createExporter(options)).toThrow(`has no option ${name}`)
  })
})
