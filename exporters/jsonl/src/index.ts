import { JsonlExporter } from './exporter.ts'
import { type JsonlExporterOptions, resolveOptions } from './options.ts'

export { JsonlExporter } from './exporter.ts'
export * from './file-system.ts'
export { GroupCommit, type GroupCommitOptions, type Place, UnavailableError } from './group-commit.ts'
export { type Line, readLines } from './lines.ts'
export { FileLock, LockedError } from './lock.ts'
export type { JsonlExporterOptions, Logger } from './options.ts'

/** @throws Error that names the option, its value and what is allowed */
export function createExporter(
  options: JsonlExporterOptions | Readonly<Record<string, unknown>> = {},
): JsonlExporter {
  return new JsonlExporter(resolveOptions(options))
}
