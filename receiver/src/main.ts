#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { nearestName } from '@agentic-hooks/events'
import pino, { type Logger } from 'pino'
import { type Command, Stopped } from './commands/command.ts'
import { helpText } from './commands/help.ts'
import { importCommand } from './commands/import.ts'
import { migrate } from './commands/migrate.ts'
import { serve } from './commands/serve.ts'
import { spoolCommand } from './commands/spool.ts'
import { describeFailure } from './commands/start-errors.ts'
import { ConfigError, OPTION_FLAGS, readConfig } from './config/options.ts'
import { stopOnDefect } from './defects.ts'
import { VERSION } from './version.ts'

/*
 * The composition root: it alone reads the environment and the arguments, handles signals and ends the process.
 */

const COMMANDS: readonly Command[] = [serve, migrate, importCommand, spoolCommand]
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
    log.debug({ err: error }, `${command.name} failed`)
    const advice = error instanceof Stopped && command.name !== 'serve' ? '; run it again to finish' : ''
    fail(error, `${command.name}: ${describeFailure(error)}${advice}`)
  }
}

/** A line for the person at the terminal and, by the exit code, what a supervisor needs to know. */
function fail(error: unknown, line: string): void {
  process.stderr.write(`agentic-hooks-receiver: ${line}\n`)
  process.exitCode =
    error instanceof Stopped ? error.exitCode : error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILURE
  // What a command that was stopped still waits for would hold the process.
  if (error instanceof Stopped) process.exit()
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
    const message = error instanceof Error ? error.message : String(error)
    const [, unknown] = /^Unknown option '--([^']+)'/.exec(message) ?? []
    const known = Object.keys({ ...OPTION_FLAGS, ...command.flags })
    const nearest = unknown === undefined ? null : nearestName(unknown, known)
    throw new ConfigError(nearest === null ? message : `${message}; did you mean --${nearest}?`)
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
      controller.abort(new Stopped(name, exitCode))
    })
  }
  return controller.signal
}

// The reader of what is printed may have seen enough, as `head` has.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  fail(error, describeFailure(error))
}
