import { DatabaseError } from 'pg'

/** The database cannot store events now; the same batch can be stored later. */
export class UnavailableError extends Error {
  override readonly name: string = 'UnavailableError'

  static from(error: unknown): UnavailableError {
    if (error instanceof UnavailableError) return error
    // A connection refused on several addresses has no message of its own.
    const reason = error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : error
    const code = error instanceof DatabaseError && error.code ? ` (SQLSTATE ${error.code})` : ''
    return new UnavailableError(`PostgreSQL: ${reason}${code}`, { cause: error })
  }
}

/** A standby, or a primary that was made one. */
export class ReadOnlyError extends UnavailableError {
  override readonly name = 'ReadOnlyError'

  constructor() {
    super('PostgreSQL: the server is read-only (a standby?)')
  }
}

/** This machine's clock and the database's differ too much for either to be gone by. */
export class ClockError extends UnavailableError {
  override readonly name = 'ClockError'
}

/** The tables are not those that this version of the exporter works with. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

/** A pooler shares sessions of the server among its clients. */
export class PoolerError extends Error {
  override readonly name = 'PoolerError'

  constructor(mode: 'transaction' | 'statement') {
    super(
      `the database is behind a pooler in ${mode} mode, where settings such as synchronous_commit are those of other ` +
        'clients and acknowledged events can be lost: use pool_mode = session, or connect to PostgreSQL itself',
    )
  }
}
