import { registerHooks } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { CreateExporter, Exporter, ExporterContext } from '@agentic-hooks/events'
import type { Logger } from 'pino'
import type { ExporterSpec } from '../config/exporter-list.ts'
import { type Config, ConfigError } from '../config/options.ts'
import { Spool } from './spool/spool.ts'

const BUILT_IN = {
  postgres: '@agentic-hooks/exporter-postgres',
  jsonl: '@agentic-hooks/exporter-jsonl',
} as const
const PACKAGES = new Map<string, string>(Object.entries(BUILT_IN))

/** EXPORTERS, or what STORAGE_TYPE is short for. */
export function exporterSpecs(config: Config): ExporterSpec[] {
  const specs = config.exporters ?? storageTypeSpecs(config)
  return specs.map((spec) => withDefaultOptions(spec, config))
}

function storageTypeSpecs({ storageType, databaseUrl }: Config): ExporterSpec[] {
  const types = storageType === 'auto' ? [databaseUrl ? 'postgres' : 'jsonl'] : storageType.split(',')
  return types.map((type) => ({ package: type }))
}

/** What `migrate` goes by: the options of the PostgreSQL exporter, whether or not it is among those that store. */
export function postgresOptions(config: Config): Readonly<Record<string, unknown>> {
  const specs = [...exporterSpecs(config), withDefaultOptions({ package: 'postgres' }, config)]
  return specs.find((spec) => spec.package === BUILT_IN.postgres)?.options ?? {}
}

/**
 * The two built in take DATABASE_URL, RETENTION_DAYS and JSONL_PATH, unless they are given options of their own.
 */
function withDefaultOptions(
  spec: ExporterSpec,
  { databaseUrl, retentionDays, jsonlPath }: Config,
): ExporterSpec {
  const name = PACKAGES.get(spec.package) ?? spec.package
  if (name === BUILT_IN.postgres)
    return { package: name, options: { databaseUrl, retentionDays, ...spec.options } }
  if (name === BUILT_IN.jsonl) return { package: name, options: { path: jsonlPath, ...spec.options } }
  return { ...spec, package: name }
}

/**
 * The exporters that the configuration names, not started.
 * @throws ConfigError that names the package and what is wrong with it, or with its options
 */
export async function loadExporters(config: Config, logger: Logger): Promise<Exporter[]> {
  const exporters = await Promise.all(exporterSpecs(config).map((spec) => loadExporter(spec, { logger })))
  const names = exporters.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  // Metrics, logs and spools tell them apart by their names.
  if (twice !== undefined) throw new ConfigError(`there are two exporters of the name ${twice}; keep one`)
  return exporters
}

/** With SPOOL_DIR, each exporter behind a spool of its own. */
export function withSpools(exporters: readonly Exporter[], config: Config, logger: Logger): Exporter[] {
  const { spoolDir, maxSpoolBytes: maxBytes } = config
  if (spoolDir === undefined) return [...exporters]
  return exporters.map((exporter) => {
    return new Spool(exporter, { directory: join(spoolDir, exporter.name), maxBytes, logger })
  })
}

/**
 * Imports the exporter's package, looked up from the working directory and then from the receiver itself, so
 * that a third party's is installed beside the application and not into the receiver.
 * @throws ConfigError that names the package and what is wrong with it, or with its options
 */
export async function loadExporter(
  spec: ExporterSpec,
  context: ExporterContext,
  directory = process.cwd(),
): Promise<Exporter> {
  const module = await importFromEither(spec.package, directory)
  if (typeof module.createExporter !== 'function') {
    throw new ConfigError(`exporter ${spec.package} exports no function createExporter(options, context)`)
  }
  try {
    return (module.createExporter as CreateExporter)(spec.options ?? {}, context)
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

async function importFromEither(name: string, directory: string): Promise<Record<string, unknown>> {
  if (name.startsWith('.') || isAbsolute(name)) return import(pathToFileURL(resolve(directory, name)).href)
  const places = [directory, fileURLToPath(new URL('.', import.meta.url))]
  let failure: unknown
  for (const place of places) {
    try {
      return await importFrom(place, name)
    } catch (error) {
      if (!isNotFound(error, name)) throw error
      failure = error
    }
  }
  throw new ConfigError(`exporter ${name} is not installed: run npm install ${name} in ${directory}`, {
    cause: failure,
  })
}

/** `import(name)` as a module in that directory would do it, export conditions included. */
async function importFrom(directory: string, name: string): Promise<Record<string, unknown>> {
  const parentURL = pathToFileURL(join(directory, 'importer.js')).href
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, specifier === name ? { ...context, parentURL } : context),
  })
  try {
    return await import(name)
  } finally {
    hooks.deregister()
  }
}

/** Whether it is the package itself that is missing, and not something that it imports. */
function isNotFound(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') return false
  return error.message.includes(`'${name}'`)
}
