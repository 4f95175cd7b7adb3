import type { ParseArgsConfig } from 'node:util'
import type { Logger } from 'pino'
import type { Config } from '../config/options.ts'

/** What `agentic-hooks-receiver NAME` does: one file each in this folder. */
export interface Command {
  readonly name: string
  /** Operands and own flags, as in `FILE...`. */
  readonly usage: string
  /** One line for `--help`. */
  readonly summary: string
  /** Without it, anything that is no flag is a mistake. */
  readonly takesOperands?: true
  /** Flags beside the options of config.ts. */
  readonly flags: NonNullable<ParseArgsConfig['options']>
  /**
   * Resolves when it is done; a long-running command then ends by `stopSignal`.
   * @throws Stopped when that one came before it was done
   */
  run(invocation: Invocation): Promise<void>
}

export interface Invocation {
  readonly config: Config
  /** Parsed flags by their names. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly operands: readonly string[]
  readonly log: Logger
  /** Aborted by SIGTERM or SIGINT; its reason is a Stopped. */
  readonly stopSignal: AbortSignal
}

/** What a command throws that ends by a signal before it is done. */
export class Stopped extends Error {
  override readonly name = 'Stopped'
  /** 128 and the number of the signal, as shells have it. */
  readonly exitCode: number

  constructor(signal: string, exitCode: number) {
    super(`stopped by ${signal}`)
    this.exitCode = exitCode
  }
}
