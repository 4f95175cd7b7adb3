export { createExporter, PostgresExporter } from './exporter.ts'
export type { Logger, PostgresExporterOptions } from './options.ts'
export { UnavailableError } from './sqlstate.ts'
