export { SchemaError, UnavailableError } from './connection/errors.ts'
export { createExporter, PostgresExporter } from './exporter.ts'
export type { Logger, PostgresExporterOptions } from './options.ts'
export { type MigrateMode, type MigrateReport, migrate } from './schema/migrate.ts'
