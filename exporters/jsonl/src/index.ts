import type { ExporterContext } from '@agentic-hooks/events'
import { JsonlExporter } from './exporter.ts'
import { type JsonlExporterOptions, resolveOptions } from './options.ts'

export { JsonlExporter } from './exporter.ts'
export type { JsonlExporterOptions, Logger } from './options.ts'

/**
 * Called by the receiver to load this package. The default logger prints warnings to the console.
 * @throws Error that names the option, its value and what is allowed
 */
export function createExporter(
  options: JsonlExporterOptions | Readonly<Record<string, unknown>> = {},
  { logger }: Partial<ExporterContext> = {},
): JsonlExporter {
  return new JsonlExporter(resolveOptions(options, logger))
}
