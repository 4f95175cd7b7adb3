import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { queryEvents } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { againAfterMidnight } from '@agentic-hooks/testing/midnight'
import { execute, freePort, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createExporter, migrate, UnavailableError } from '../src/index.ts'
import { RecordingLogger, SILENT, send, startExporter } from './exporters.ts'

const fixture = (name: string) => join(import.meta.dirname, 'fixtures', name)
const read = (name: string) => readFileSync(fixture(name), 'utf8')

function withParameters(url: string, parameters: Record<string, string>, host = '127.0.0.1'): string {
  const changed = new URL(url)
  changed.hostname = host
  for (const [name, value] of Object.entries(parameters)) changed.searchParams.set(name, value)
  return changed.href
}

const TLS_OF_WRITERS = `SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
  WHERE application_name = 'agentic-hooks' AND datname = current_database()`

describe('sslmode', () => {
  let tls: PostgresServer
  let plain: PostgresServer
  let tlsUrl: string
  let plainUrl: string

  beforeAll(async () => {
    const files = { 'server.crt': read('server.crt'), 'server.key': read('server.key') }
    ;[tls, plain] = await Promise.all([
      startPostgres({ settings: { ssl: 'on', listen_addresses: 'localhost,127.0.0.1' }, files }),
      startPostgres({ settings: { ssl: 'off' } }),
    ])
    ;[tlsUrl, plainUrl] = await Promise.all([tls.createDatabase(), plain.createDatabase()])
  })
  afterAll(() => Promise.all([tls?.stop(), plain?.stop()]))

  const ca = { sslrootcert: fixture('ca.crt') }
  const otherCa = { sslrootcert: fixture('other-ca.crt') }

  it.each([
    ['is prefer by default', {}, '127.0.0.1', true],
    ['prefer takes TLS that is offered', { sslmode: 'prefer' }, '127.0.0.1', true],
    ['allow is as prefer', { sslmode: 'allow' }, '127.0.0.1', true],
    ['disable never uses it', { sslmode: 'disable' }, '127.0.0.1', false],
    ['require trusts any certificate', { sslmode: 'require' }, '127.0.0.1', true],
    ['require with a CA checks it', { sslmode: 'require', ...ca }, '127.0.0.1', true],
    ['verify-ca does not look at the name', { sslmode: 'verify-ca', ...ca }, '127.0.0.1', true],
    ['verify-full is content with the right name', { sslmode: 'verify-full', ...ca }, 'localhost', true],
  ])('%s', async (_, parameters, host, encrypted) => {
    const databaseUrl = withParameters(tlsUrl, parameters, host)
    const exporter = await startExporter({ databaseUrl })
    await send(exporter, sampleRecords(1))
    await exporter.health()
    expect(await execute(tlsUrl, TLS_OF_WRITERS)).toEqual([{ ssl: encrypted }])
  })

  it.each([
    ['require with another CA', { sslmode: 'require', ...otherCa }, /verify|certificate/],
    ['verify-ca with another CA', { sslmode: 'verify-ca', ...otherCa }, /verify|certificate/],
    ['verify-ca without a CA', { sslmode: 'verify-ca' }, /requires specifying a CA/],
    ['verify-full for another name', { sslmode: 'verify-full', ...ca }, /does not match|altnames/],
    ['verify-full with the system CAs', { sslmode: 'verify-full' }, /verify|certificate/],
  ])('%s is refused', async (_, parameters, reason) => {
    await expect(startOnce(withParameters(tlsUrl, parameters))).rejects.toThrow(reason)
  })

  it('prefer falls back to plain text, for reading too', async () => {
    const exporter = await startExporter({ databaseUrl: withParameters(plainUrl, { sslmode: 'prefer' }) })
    await send(exporter, sampleRecords(1))
    await exporter.health()
    expect(await execute(plainUrl, TLS_OF_WRITERS)).toEqual([{ ssl: false }])
  })

  it('prefer falls back where pg_hba.conf lets a role in without TLS only, for reading too', async () => {
    const own = await startPostgres({
      settings: { ssl: 'on' },
      files: {
        'server.crt': read('server.crt'),
        'server.key': read('server.key'),
        'pg_hba.conf': `hostssl all nossl all reject\nhostnossl all nossl all trust\nhost all all all scram-sha-256`,
      },
    })
    onTestFinished(() => own.stop())
    const database = new URL(await own.createDatabase())
    await execute(database.href, 'CREATE ROLE nossl LOGIN; GRANT ALL ON SCHEMA public TO nossl')
    const url = Object.assign(new URL(database), { username: 'nossl' }).href
    const exporter = await startExporter({ databaseUrl: url })
    await send(exporter, sampleRecords(1))
    await exporter.health()
    expect(await execute(database.href, TLS_OF_WRITERS)).toEqual([{ ssl: false }])
    await expect(startOnce(withParameters(url, { sslmode: 'require' }))).rejects.toThrow('28000')
  })

  it('require does not fall back', async () => {
    const databaseUrl = withParameters(plainUrl, { sslmode: 'require' })
    await expect(startOnce(databaseUrl)).rejects.toThrow('does not support SSL')
  })

  it('channel_binding=require stores and reads where the server binds SCRAM to its TLS', async () => {
    const databaseUrl = withParameters(tlsUrl, { sslmode: 'require', channel_binding: 'require' })
    const exporter = await startExporter({ databaseUrl })
    await send(exporter, sampleRecords(1))
    await exporter.health()
  })

  it.each([
    ['without TLS', { channel_binding: 'require' }],
    ['without TLS that was asked for', { channel_binding: 'require', sslmode: 'disable' }],
  ])('channel_binding=require is refused by a server %s', async (_, parameters) => {
    await expect(startOnce(withParameters(plainUrl, parameters))).rejects.toThrow(
      'channel_binding is require',
    )
  })

  it('stands beside search_path, which names the schema of the tables', againAfterMidnight(), async () => {
    await execute(plainUrl, 'DROP SCHEMA IF EXISTS hooks CASCADE; CREATE SCHEMA hooks')
    const databaseUrl = withParameters(plainUrl, { options: '-c search_path=hooks' })
    const exporter = await startExporter({ databaseUrl, partitionsAhead: 0, retentionDays: 1 })
    await send(exporter, sampleRecords(2))
    await migrate({ databaseUrl, partitionsAhead: 2, retentionDays: 1, logger: SILENT })
    expect(await execute(plainUrl, 'SELECT count(*)::int AS events FROM hooks.hook_events')).toEqual([
      { events: 2 },
    ])
    const tables = `SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'hooks'`
    expect(await execute(plainUrl, tables)).toEqual([{ tables: 4 + 3 }])
    expect((await exporter.readSessions({})).sessions).toHaveLength(1)
  })

  describe('at start', () => {
    it.each([
      ['a wrong password', { password: 'wrong' }, '28P01'],
      ['an unknown user', { username: 'nobody' }, '28P01'],
      ['an unknown database', { pathname: 'nowhere' }, '3D000'],
    ])('%s is reported at once', async (_, change, sqlstate) => {
      const url = Object.assign(new URL(plainUrl), change)
      const exporter = createExporter({ databaseUrl: url.href, startTimeoutMillis: 1e9 }, { logger: SILENT })
      await expect(exporter.start()).rejects.toThrow(`SQLSTATE ${sqlstate}`)
      await exporter.shutdown()
    })

    it('a database that is not UTF-8 is refused', async () => {
      await execute(plain.url, `CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
      const url = new URL(plainUrl)
      url.pathname = 'latin'
      await expect(startOnce(url.href)).rejects.toThrow('encoding must be UTF8, not LATIN1')
    })

    it('a server that comes up a moment later is waited for', async () => {
      const server = await startPostgres({ owned: true })
      onTestFinished(() => server.stop())
      await server.kill()
      const exporter = createExporter({ databaseUrl: server.url }, { logger: SILENT })
      onTestFinished(() => exporter.shutdown())
      await Promise.all([exporter.start(), server.start()])
      expect(await send(exporter, sampleRecords(1))).toMatchObject({ stored: 1 })
    })

    it('a server that never comes up is not waited for after shutdown', async () => {
      const exporter = createExporter(
        {
          databaseUrl: `postgres://127.0.0.1:${await freePort()}/db`,
          startTimeoutMillis: 1e9,
        },
        { logger: SILENT },
      )
      const started = expect(exporter.start()).rejects.toThrow(UnavailableError)
      await exporter.shutdown()
      await started
    })

    it('may be tried again after it failed', async () => {
      const exporter = createExporter(
        {
          databaseUrl: withParameters(plainUrl, {}),
          connections: 1,
        },
        { logger: SILENT },
      )
      onTestFinished(() => exporter.shutdown())
      const database = new URL(plainUrl).pathname.slice(1)
      await execute(plain.url, `ALTER DATABASE ${database} RENAME TO away`)
      await expect(exporter.start()).rejects.toThrow(UnavailableError)
      await expect(send(exporter, sampleRecords(1))).rejects.toThrow('the exporter is not started')
      await execute(plain.url, `ALTER DATABASE away RENAME TO ${database}`)
      await exporter.start()
      expect(await send(exporter, sampleRecords(1))).toMatchObject({ stored: 1 })
    })
  })
})

describe('several hosts', () => {
  it('are tried in turn, and writers and readers follow to another one when the first takes no more writes', async () => {
    const servers = await Promise.all([startPostgres({ owned: true }), startPostgres({ owned: true })])
    onTestFinished(async () => {
      await Promise.all(servers.map((server) => server.stop()))
    })
    const [first, second] = servers.map(({ url }) => new URL(url)) as [URL, URL]
    await migrate({ databaseUrl: second.href, logger: SILENT })
    const databaseUrl = first.href.replace(first.host, `${first.host},${second.host}`)
    const exporter = await startExporter({ databaseUrl })
    await send(exporter, sampleRecords(1))
    await exporter.health()
    await execute(first.href, 'ALTER DATABASE postgres SET default_transaction_read_only = on')
    await execute(
      first.href,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentic-hooks'`,
    )
    const events = sampleRecords(2)
    await vi.waitFor(() => send(exporter, events), { timeout: 10_000 })
    await vi.waitFor(() => exporter.health(), { timeout: 10_000 })
    const read: string[] = []
    for await (const { eventId } of queryEvents(exporter, {})) read.push(eventId)
    expect(read.sort()).toEqual(events.map(({ eventId }) => eventId).sort())
  })

  it('of which none can be used are reported each with its reason', async () => {
    const [one, two] = [await freePort(), await freePort()]
    await expect(startOnce(`postgres://user:secret@127.0.0.1:${one},127.0.0.1:${two}/db`)).rejects.toThrow(
      new RegExp(`127.0.0.1:${one}: .*ECONNREFUSED.*; 127.0.0.1:${two}: .*ECONNREFUSED`),
    )
  })
})

it('a server that is not there is reported with its address', async () => {
  const port = await freePort()
  await expect(startOnce(`postgres://user:secret@127.0.0.1:${port}/db`)).rejects.toThrow(
    `ECONNREFUSED 127.0.0.1:${port}`,
  )
})

describe('a server without fsync', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres({ settings: { fsync: 'off', synchronous_commit: 'off' } })
  })
  afterAll(() => server?.stop())

  it('is warned of, loudly', async () => {
    const logger = new RecordingLogger()
    await startExporter({ databaseUrl: await server.createDatabase(), logger })
    expect(logger.warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('LOSES ACKNOWLEDGED EVENTS'),
    ])
  })

  it('is made to commit synchronously', async () => {
    const databaseUrl = await server.createDatabase()
    await execute(databaseUrl, 'CREATE TABLE seen (setting text)')
    const exporter = await startExporter({ databaseUrl })
    await execute(
      databaseUrl,
      `CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
       CREATE TRIGGER see BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION see()`,
    )
    await send(exporter, sampleRecords(1))
    expect(await execute(databaseUrl, 'SELECT * FROM seen')).toEqual([{ setting: 'on' }])
  })
})

async function startOnce(databaseUrl: string): Promise<void> {
  const exporter = createExporter({ databaseUrl, startTimeoutMillis: 0 }, { logger: SILENT })
  try {
    await exporter.start()
  } finally {
    await exporter.shutdown()
  }
}
