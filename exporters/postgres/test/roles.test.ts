import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { valueIn } from '@agentic-hooks/testing/stored-events'
import { missing } from '@agentic-hooks/testing/tools'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate } from '../src/index.ts'
import { SILENT, send, startExporter } from './exporters.ts'

const SCRIPT = join(import.meta.dirname, '../../../deploy/postgres/roles.sh')
const OWNER_PASSWORD = `it's "the" owner\\'s $(password)`
const READER_PASSWORD = 'reader'

const reason = await missing('psql', 'postgresql-client')
if (reason) console.log(`Skipped: ${reason}.`)

describe.skipIf(reason)('the roles that the compose files make (deploy/postgres/roles.sh)', () => {
  let server: PostgresServer
  let databaseUrl: string
  let ownerUrl: string
  let readerUrl: string

  beforeAll(async () => {
    server = await startPostgres({ owned: true })
    databaseUrl = await server.createDatabase()
    ownerUrl = as('hooks_owner', OWNER_PASSWORD)
    readerUrl = as('hooks_reader', READER_PASSWORD)
  })
  afterAll(() => server?.stop())

  function as(username: string, password: string): string {
    const url = Object.assign(new URL(databaseUrl), { username })
    url.password = encodeURIComponent(password)
    return url.href
  }

  async function makeRoles(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const url = new URL(databaseUrl)
    await promisify(execFile)(SCRIPT, {
      env: {
        PATH: process.env.PATH,
        PGHOST: url.hostname,
        PGPORT: url.port,
        PGPASSWORD: url.password,
        POSTGRES_USER: url.username,
        POSTGRES_DB: url.pathname.slice(1),
        HOOKS_OWNER_PASSWORD: OWNER_PASSWORD,
        HOOKS_READER_PASSWORD: READER_PASSWORD,
        ...environment,
      },
    })
  }

  it('take over the tables of a superuser, whose receivers become the owner without losing an event', async () => {
    const before = await startExporter({ databaseUrl })
    await send(before, sampleRecords(3))
    await before.shutdown()
    await makeRoles()
    await makeRoles()
    const exporter = await startExporter({ databaseUrl: ownerUrl, partitionsAhead: 2 })
    const events = sampleRecords(4)
    await send(exporter, events)
    expect(await send(exporter, [...events, ...sampleRecords(1)])).toMatchObject({ stored: 1, duplicates: 4 })
    await exporter.health()
    await migrate({ databaseUrl: ownerUrl, retentionDays: 36_500, partitionsAhead: 3, logger: SILENT })
    expect(await valueIn(readerUrl, 'SELECT count(*)::int FROM hook_events')).toBe(8)
  })

  it('are no superusers, and the reader reads what the owner made and changes nothing', async () => {
    const roles = `SELECT rolname FROM pg_roles
      WHERE rolname LIKE 'hooks%' AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)`
    expect(await execute(databaseUrl, roles)).toHaveLength(2)
    for (const name of ['hook_events', 'hook_resources', 'hook_sessions', 'hook_running_tools']) {
      await execute(readerUrl, `SELECT FROM ${name} LIMIT 1`)
    }
    for (const sql of ['DELETE FROM hook_events', 'CREATE TABLE mine ()', 'TRUNCATE hook_resources']) {
      await expect(execute(readerUrl, sql)).rejects.toThrow('permission denied')
    }
  })

  it('are not made without their passwords', async () => {
    await expect(makeRoles({ HOOKS_OWNER_PASSWORD: '' })).rejects.toThrow(
      'HOOKS_OWNER_PASSWORD_FILE must be set',
    )
  })
})
