import { sampleRecords } from '@agentic-hooks/events/testing'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { valueIn } from '@agentic-hooks/testing/stored-events'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createExporter, migrate, SchemaError } from '../src/index.ts'
import { applyMigrations, MIGRATIONS } from '../src/schema/migrations.ts'
import { SILENT, send, startExporter } from './exporters.ts'

/** Everything that makes the schema, in an order of its own. */
const SCHEMA = `
  SELECT 'column' AS kind, table_name || '.' || column_name AS name,
    concat_ws(' ', data_type, is_nullable, column_default) AS definition
  FROM information_schema.columns WHERE table_schema = 'public'
  UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'public'
  UNION ALL SELECT 'migration', version::text, name || checksum FROM hook_migrations
  ORDER BY 1, 2`

describe.each([15, 18] as const)('migrations on PostgreSQL %i', (version) => {
  let server: PostgresServer
  let databaseUrl: string

  beforeAll(async () => {
    server = await startPostgres({ version })
  })
  beforeEach(async () => {
    databaseUrl = await server.createDatabase()
  })
  afterAll(() => server?.stop())

  it('are applied once when eight receivers start at once', async () => {
    const exporters = Array.from({ length: 8 }, () => createExporter({ databaseUrl }, { logger: SILENT }))
    try {
      await Promise.all(exporters.map((exporter) => exporter.start()))
      const results = await Promise.all(exporters.map((exporter) => send(exporter, sampleRecords(5))))
      expect(results.map(({ stored }) => stored)).toEqual(Array(8).fill(5))
      expect(
        await execute(databaseUrl, 'SELECT version, name FROM hook_migrations ORDER BY version'),
      ).toEqual(MIGRATIONS.map(({ version, name }) => ({ version, name })))
    } finally {
      await Promise.all(exporters.map((exporter) => exporter.shutdown()))
    }
  })

  it.each(MIGRATIONS.map(({ version }) => version))(
    'lead from version %i to the schema of a new database, and keep the events',
    async (earlier) => {
      await withClient(databaseUrl, (client) => applyMigrations(client, MIGRATIONS.slice(0, earlier)))
      await execute(
        databaseUrl,
        `INSERT INTO hook_events (event_id, event_type, session_id, data, "timestamp")
         VALUES (gen_random_uuid(), 'custom', 'old', '{"n": 1}', '2020-02-02')`,
      )
      const { migrations } = await migrate({ databaseUrl, logger: SILENT })
      expect(migrations).toHaveLength(MIGRATIONS.length - earlier)

      const fresh = await server.createDatabase()
      await migrate({ databaseUrl: fresh, logger: SILENT })
      expect(await execute(databaseUrl, SCHEMA)).toEqual(await execute(fresh, SCHEMA))
      expect(await execute(databaseUrl, 'SELECT session_id, data FROM hook_events')).toEqual([
        { session_id: 'old', data: { n: 1 } },
      ])
    },
  )

  it('do nothing the second time', async () => {
    await migrate({ databaseUrl, logger: SILENT })
    const before = await execute(databaseUrl, SCHEMA)
    expect(await migrate({ databaseUrl, logger: SILENT })).toEqual({ migrations: [], sql: null })
    expect(await execute(databaseUrl, SCHEMA)).toEqual(before)
  })

  it('can be read before they are run, and run by hand', async () => {
    const { migrations, sql } = await migrate({ databaseUrl, logger: SILENT }, { dryRun: true })
    expect(migrations).toEqual(MIGRATIONS.map(({ version, name }) => `${version} ${name}`))
    expect(
      await valueIn(databaseUrl, `SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'`),
    ).toBe(0)

    await execute(databaseUrl, sql!)
    const other = await server.createDatabase()
    await migrate({ databaseUrl: other, logger: SILENT })
    expect(await execute(databaseUrl, SCHEMA)).toEqual(await execute(other, SCHEMA))
    expect((await migrate({ databaseUrl, logger: SILENT }, { dryRun: true })).migrations).toEqual([])
  })

  it('are applied all or none', async () => {
    const broken = [
      ...MIGRATIONS,
      { version: 99, name: 'broken', sql: 'CREATE TABLE half (); SELECT 1 / 0;' },
    ]
    await expect(withClient(databaseUrl, (client) => applyMigrations(client, broken))).rejects.toThrow(
      'division by zero',
    )
    expect(
      await valueIn(databaseUrl, `SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'`),
    ).toBe(0)
  })

  it('refuse a database that was migrated by something else', async () => {
    await migrate({ databaseUrl, logger: SILENT })
    await execute(databaseUrl, `UPDATE hook_migrations SET checksum = 'other' WHERE version = 1`)
    await expect(migrate({ databaseUrl, logger: SILENT })).rejects.toThrow(SchemaError)
    const exporter = createExporter({ databaseUrl }, { logger: SILENT })
    await expect(exporter.start()).rejects.toThrow('migration 1 (events) is not the one that was applied')
    await exporter.shutdown()
  })

  it('refuse a database that is newer than they are', async () => {
    await migrate({ databaseUrl, logger: SILENT })
    await execute(
      databaseUrl,
      `INSERT INTO hook_migrations (version, name, checksum) VALUES (999, 'future', 'x')`,
    )
    await expect(migrate({ databaseUrl, logger: SILENT })).rejects.toThrow(
      `the database has schema version 999, this exporter knows up to ${MIGRATIONS.length}`,
    )
  })
})

describe('least privilege', () => {
  let server: PostgresServer
  let databaseUrl: string
  const as = (role: string) => {
    const url = new URL(databaseUrl)
    url.username = role
    url.password = 'secret'
    return url.href
  }

  beforeAll(async () => {
    server = await startPostgres()
    databaseUrl = await server.createDatabase()
    const database = new URL(databaseUrl).pathname.slice(1)
    // As docs/operate/postgres.md says it.
    await execute(
      databaseUrl,
      `DROP ROLE IF EXISTS hooks_owner, hooks_writer, hooks_reader;
       CREATE ROLE hooks_owner LOGIN PASSWORD 'secret';
       CREATE ROLE hooks_writer LOGIN PASSWORD 'secret';
       CREATE ROLE hooks_reader LOGIN PASSWORD 'secret';
       REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
       REVOKE ALL ON SCHEMA public FROM PUBLIC;
       GRANT CONNECT ON DATABASE ${database} TO hooks_owner, hooks_writer, hooks_reader;
       GRANT TEMPORARY ON DATABASE ${database} TO hooks_writer;
       GRANT CREATE, USAGE ON SCHEMA public TO hooks_owner;
       GRANT USAGE ON SCHEMA public TO hooks_writer, hooks_reader`,
    )
    await migrate({ databaseUrl: as('hooks_owner'), logger: SILENT })
    await execute(
      as('hooks_owner'),
      `GRANT SELECT, INSERT ON hook_events TO hooks_writer;
       GRANT SELECT, INSERT, UPDATE (last_seen) ON hook_resources TO hooks_writer;
       GRANT SELECT ON hook_migrations TO hooks_writer;
       GRANT SELECT ON hook_events, hook_resources, hook_sessions, hook_tool_calls, hook_tool_statistics,
         hook_running_tools TO hooks_reader`,
    )
  })
  afterAll(async () => {
    await execute(databaseUrl, 'DROP OWNED BY hooks_owner, hooks_writer, hooks_reader CASCADE')
    await execute(databaseUrl, 'DROP ROLE hooks_owner, hooks_writer, hooks_reader')
    await server.stop()
  })

  it('lets the writer store events and count duplicates, and nothing else', async () => {
    const exporter = await startExporter({ databaseUrl: as('hooks_writer'), manageSchema: false })
    const events = sampleRecords(5, { origin: { resource: Buffer.from('{"a":1}'), scope: null } })
    expect(await send(exporter, events)).toMatchObject({ stored: 5 })
    expect(await send(exporter, events)).toMatchObject({ duplicates: 5 })
    await exporter.health()
    for (const sql of [
      'DELETE FROM hook_events',
      'UPDATE hook_events SET data = NULL',
      'TRUNCATE hook_events',
      'DELETE FROM hook_resources',
      'UPDATE hook_migrations SET checksum = NULL',
      'CREATE TABLE mine ()',
      'DROP TABLE hook_events',
    ]) {
      await expect(execute(as('hooks_writer'), sql)).rejects.toThrow(/permission denied|must be owner/)
    }
  })

  it('lets the reader read events and views, and nothing else', async () => {
    for (const view of ['hook_events', 'hook_sessions', 'hook_tool_statistics', 'hook_running_tools']) {
      await execute(as('hooks_reader'), `SELECT * FROM ${view}`)
    }
    await expect(execute(as('hooks_reader'), `INSERT INTO hook_resources DEFAULT VALUES`)).rejects.toThrow(
      'permission denied',
    )
  })

  it('lets a writer start only when the owner has migrated', async () => {
    await execute(databaseUrl, 'ALTER TABLE hook_migrations RENAME TO put_aside')
    const exporter = createExporter(
      {
        databaseUrl: as('hooks_writer'),
        manageSchema: false,
        startTimeoutMillis: 0,
      },
      { logger: SILENT },
    )
    await expect(exporter.start()).rejects.toThrow('the database lacks migrations (1 events')
    await execute(databaseUrl, 'ALTER TABLE put_aside RENAME TO hook_migrations')
    await exporter.start()
    await exporter.shutdown()
  })
})

async function withClient<T>(databaseUrl: string, action: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return await action(client)
  } finally {
    await client.end()
  }
}
