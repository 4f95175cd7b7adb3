import { JsonlExporter } from './exporter.ts'
import { type JsonlExporterOptions, resolveOptions } from './options.ts'

export * from '@agentic-hooks/durable-files'
export {
  FileLock,
  GroupCommit,
  type GroupCommitOptions,
  type Line,
  LockedError,
  type Place,
  readLines,
  UnavailableError,
} from '@agentic-hooks/durable-files'
export { JsonlExporter } from './exporter.ts'
export type { JsonlExporterOptions, Logger } from './options.ts'

/** @throws Error that names the option, its value and what is allowed */
export function createExporter(
  options: JsonlExporterOptions | Readonly<Record<string, unknown>> = {},
): JsonlExporter {
  return new JsonlExporter(resolveOptions(options))
}
