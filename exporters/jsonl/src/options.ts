import { resolve } from 'node:path'
import { type FileSystem, nodeFileSystem } from '@agentic-hooks/durable-files'

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
  /** Default: warnings to the console. */
  readonly logger?: Logger
  /** For tests of durability. Default `node:fs/promises`. */
  readonly fileSystem?: FileSystem
}

export type ResolvedOptions = Required<JsonlExporterOptions>

const consoleLogger: Logger = {
  info() {},
  warn: (fields, message) => console.warn(`exporter-jsonl: ${message}`, fields),
}

const DEFAULTS: ResolvedOptions = {
  path: '.agentic/analytics/events.jsonl',
  maxFileBytes: 2 ** 28,
  rotateDaily: false,
  maxFiles: null,
  maxQueuedBytes: 2 ** 26,
  maxGroupBytes: 2 ** 23,
  logger: consoleLogger,
  fileSystem: nodeFileSystem,
}

/** What is allowed for each option: a test and the words for a person. */
const RULES: Record<keyof ResolvedOptions, readonly [(value: unknown) => boolean, string]> = {
  path: [(value) => typeof value === 'string' && value !== '', 'a path'],
  maxFileBytes: integerFrom(1),
  rotateDaily: [(value) => typeof value === 'boolean', 'true or false'],
  maxFiles: [(value) => value === null || isIntegerFrom(value, 1), 'an integer from 1, or null to keep all'],
  maxQueuedBytes: integerFrom(1),
  maxGroupBytes: integerFrom(1),
  logger: [isObject, 'an object with the functions info and warn'],
  fileSystem: [isObject, 'an object with functions of node:fs/promises'],
}

/** @throws Error that names the option, its value and what is allowed */
export function resolveOptions(options: object): ResolvedOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) {
    if (!Object.hasOwn(RULES, name)) {
      throw new Error(`exporter-jsonl has no option ${name}; there are ${Object.keys(RULES).join(', ')}`)
    }
    const [isAllowed, allowed] = RULES[name as keyof ResolvedOptions]
    if (!isAllowed(value)) {
      throw new Error(`exporter-jsonl: ${name} is ${JSON.stringify(value)}; it must be ${allowed}`)
    }
  }
  const resolved: ResolvedOptions = { ...DEFAULTS, ...Object.fromEntries(given) }
  return { ...resolved, path: resolve(resolved.path) }
}

function integerFrom(min: number): readonly [(value: unknown) => boolean, string] {
  return [(value) => isIntegerFrom(value, min), `an integer from ${min}`]
}

function isIntegerFrom(value: unknown, min: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= min
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
