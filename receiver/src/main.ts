#!/usr/bin/env node
import { parseArgs } from 'node:util'
import pino, { type Logger } from 'pino'
import type { Command } from './commands/command.ts'
import { importCommand } from './commands/import.ts'
import { migrate } from './commands/migrate.ts'
import { serve } from './commands/serve.ts'
import { ConfigError, OPTION_FLAGS, readConfig } from './config.ts'
import { stopOnDefect } from './defects.ts'
import { helpText } from './help.ts'
import { VERSION } from './version.ts'

/*
 * The composition root: it alone reads the environment and the arguments, handles signals and ends the process.
 */

const COMMANDS: readonly Command[] = [serve, migrate, importCommand]
const EXIT_FAILURE = 1
const EXIT_USAGE = 2
/** Lines beyond it are dropped. */
const MAX_UNWRITTEN_LOG_BYTES = 2 ** 20

async function main(args: readonly string[]): Promise<void> {
  const command = COMMANDS.find(({ name }) => name === args[0]) ?? serve
  const { values: flags, positionals: operands } = parse(
    command,
    command.name === args[0] ? args.slice(1) : args,
  )
  if (flags.help) return void process.stdout.write(helpText(COMMANDS))
  if (flags.version) return void process.stdout.write(`${VERSION}\n`)
  if (operands.length > 0 && !command.takesOperands) {
    throw new ConfigError(`there is no command ${JSON.stringify(operands[0])}; --help lists them`)
  }
  const config = readConfig(process.env, flags)
  const log = pino(
    {
      level: config.logLevel,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    standardOutput(),
  )
  try {
    await command.run({ config, flags, operands, log, stopSignal: stopSignal(log) })
  } catch (error) {
    if (error instanceof ConfigError) throw error
    log.fatal({ err: error }, `${command.name} failed`)
    process.exitCode = EXIT_FAILURE
  }
}

function parse(command: Command, args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...OPTION_FLAGS,
        ...command.flags,
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
      allowPositionals: true,
    })
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error))
  }
}

/** Of an error only what cannot quote an event: a database's has the refused row in its other members. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { name, message, stack, cause } = error
  const code = 'code' in error ? error.code : undefined
  return { name, message, code, stack, ...(cause !== undefined && { cause: describeError(cause) }) }
}

/** A full disk or a closed pipe behind it costs lines of the log, and no request its answer. */
function standardOutput() {
  const output = pino.destination({ dest: 1, minLength: 0, maxLength: MAX_UNWRITTEN_LOG_BYTES })
  output.on('error', () => {
    output.flushSync = () => {} // Else the end of the process would wait until the disk has room.
  })
  return output
}

/** The first signal asks the command to end, as a defect does; the second does not ask. */
function stopSignal(log: Logger): AbortSignal {
  const controller = new AbortController()
  stopOnDefect(log, () => controller.abort())
  for (const [name, exitCode] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCode)
      controller.abort()
    })
  }
  return controller.signal
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  process.stderr.write(`agentic-hooks-receiver: ${error.message}\n`)
  process.exitCode = EXIT_USAGE
}
