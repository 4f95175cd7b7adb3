import { createHash } from 'node:crypto'
import { type Client, escapeLiteral } from 'pg'
import { SchemaError } from '../connection/errors.ts'
import events from './migrations/0001-events.ts'
import views from './migrations/0002-views.ts'

export interface Migration {
  /** From 1, without gaps. */
  readonly version: number
  readonly name: string
  readonly sql: string
}

/** What has been released never changes: a change is a new migration. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'events', sql: events },
  { version: 2, name: 'views', sql: views },
]

/** Any number that nobody else locks; the same for every version of this package. */
const ADVISORY_LOCK = 7_310_868_735_420_001

/** What goes before the migrations that are due: replicas that start at once take turns from here to COMMIT. */
export const BEGIN_MIGRATIONS = `BEGIN;
SELECT pg_advisory_xact_lock(${ADVISORY_LOCK});
CREATE TABLE IF NOT EXISTS hook_migrations (
  version integer PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
`

interface AppliedMigration {
  readonly version: number
  readonly checksum: string
}

/**
 * Applies what is due, all of it or nothing.
 * @returns the migrations that were applied
 * @throws SchemaError when the database is newer than this package, or an applied migration is not the one known here
 */
export async function applyMigrations(
  client: Client,
  migrations = MIGRATIONS,
): Promise<readonly Migration[]> {
  if ((await pendingMigrations(client, migrations)).length === 0) return []
  await client.query(BEGIN_MIGRATIONS)
  try {
    const pending = await pendingMigrations(client, migrations)
    await client.query(`${migrationSql(pending)}COMMIT`)
    return pending
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

/** @throws SchemaError as {@link applyMigrations} does */
export async function pendingMigrations(
  client: Client,
  migrations = MIGRATIONS,
): Promise<readonly Migration[]> {
  const applied = await appliedMigrations(client)
  for (const { version, checksum } of applied) {
    const known = migrations.find((migration) => migration.version === version)
    if (!known) {
      throw new SchemaError(
        `the database has schema version ${version}, this exporter knows up to ${migrations.length}: upgrade it`,
      )
    }
    if (checksumOf(known) !== checksum) {
      throw new SchemaError(
        `migration ${version} (${known.name}) is not the one that was applied to this database: its checksum is ${checksumOf(known)}, not ${checksum}; install a released version of the exporter`,
      )
    }
  }
  return migrations.filter(({ version }) => !applied.some((migration) => migration.version === version))
}

async function appliedMigrations(client: Client): Promise<AppliedMigration[]> {
  const { rows } = await client.query<{ exists: boolean }>(
    `SELECT to_regclass('hook_migrations') IS NOT NULL AS exists`,
  )
  if (!rows[0]?.exists) return []
  return (
    await client.query<AppliedMigration>('SELECT version, checksum FROM hook_migrations ORDER BY version')
  ).rows
}

export function migrationSql(migrations: readonly Migration[]): string {
  return migrations
    .map(
      (migration) =>
        `\n-- ${migration.version}: ${migration.name}\n${migration.sql.trim()}\n` +
        `INSERT INTO hook_migrations (version, name, checksum) VALUES (${migration.version}, ${escapeLiteral(migration.name)}, '${checksumOf(migration)}');\n`,
    )
    .join('')
}

function checksumOf({ sql }: Migration): string {
  return createHash('sha256').update(sql).digest('hex')
}
