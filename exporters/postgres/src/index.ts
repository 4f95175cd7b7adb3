export { SchemaError, UnavailableError } from './errors.ts'
export { createExporter, PostgresExporter } from './exporter.ts'
export { type MigrateMode, type MigrateReport, migrate } from './migrate.ts'
export type { Logger, PostgresExporterOptions } from './options.ts'
