import { resolve } from 'node:path'
import { type FileSystem, nodeFileSystem } from '@agentic-hooks/durable-files'
import { checkOptions, OptionRule, type OptionRules } from '@agentic-hooks/events'

/** What the exporter tells whoever runs it; pino's loggers fit. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface JsonlExporterOptions {
  /**
   * The file that is written to; rotated ones lie beside it. A symbolic link stands for the file that it leads to; what
   * is not a regular file is refused at the start. Default `.agentic/analytics/events.jsonl`.
   */
  readonly path?: string
  /** A file that would grow larger is rotated before; one group of batches may be larger. Default 256 MiB. */
  readonly maxFileBytes?: number
  /** Rotate at the first write of a day in UTC. Default false. */
  readonly rotateDaily?: boolean
  /** Files kept, the current one included; older ones are deleted at a rotation. Default: all are kept. */
  readonly maxFiles?: number | null
  /** Lines not yet durable, in bytes; above it `export` rejects at once. Default 64 MiB. */
  readonly maxQueuedBytes?: number
  /** Lines that one write and one fdatasync make durable, in bytes; a larger batch goes alone. Default 8 MiB. */
  readonly maxGroupBytes?: number
  /** For tests of durability. Default `node:fs/promises`. */
  readonly fileSystem?: FileSystem
}

type GivenOptions = Required<JsonlExporterOptions>

export interface ResolvedOptions extends GivenOptions {
  readonly logger: Logger
}

const consoleLogger: Logger = {
  info() {},
  warn: (fields, message) => console.warn(`exporter-jsonl: ${message}`, fields),
}

const DEFAULTS: GivenOptions = {
  path: '.agentic/analytics/events.jsonl',
  maxFileBytes: 2 ** 28,
  rotateDaily: false,
  maxFiles: null,
  maxQueuedBytes: 2 ** 26,
  maxGroupBytes: 2 ** 23,
  fileSystem: nodeFileSystem,
}

const RULES: OptionRules<keyof GivenOptions> = {
  path: OptionRule.text('a path'),
  maxFileBytes: OptionRule.integer(1),
  rotateDaily: OptionRule.boolean,
  maxFiles: {
    allowed: 'an integer from 1, or null to keep all',
    allows: (value) => value === null || OptionRule.integer(1).allows(value),
  },
  maxQueuedBytes: OptionRule.integer(1),
  maxGroupBytes: OptionRule.integer(1),
  fileSystem: OptionRule.objectWith('an object with functions of node:fs/promises'),
}

/** @throws TypeError that names the option, its value and what is allowed */
export function resolveOptions(options: object, logger: Logger = consoleLogger): ResolvedOptions {
  const resolved: GivenOptions = {
    ...DEFAULTS,
    ...checkOptions<GivenOptions>('exporter-jsonl', RULES, options),
  }
  return { ...resolved, logger, path: resolve(resolved.path) }
}
