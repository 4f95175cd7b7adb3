import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

/*
 * What the npm scripts have in common: --help, one line on standard error when something fails, exit code 2 for a
 * mistake in the arguments and 1 for any other failure, and no crash when `head` has seen enough.
 */

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

/**
 * The arguments of this process. With --help it prints the text and ends; from here on an error that nobody catches
 * is one line on standard error (with DEBUG set, its stack) and exit code 1.
 * @param help begins with the way to call it, as in `npm run fuzz -- [--seed N]`
 */
export function commandLine<const Options extends ParseArgsOptionsConfig>(
  help: string,
  options: Options,
  { allowPositionals = false } = {},
) {
  surviveClosedOutput()
  process.on('uncaughtException', (error) => {
    end(EXIT_FAILURE, process.env.DEBUG ? (error.stack ?? error.message) : oneLine(error))
  })
  const parsed = parse(() => parseArgs({ options: { ...options, help: HELP }, allowPositionals }))
  if ((parsed.values as { help?: boolean }).help) {
    process.stdout.write(help)
    process.exit(0)
  }
  return { values: parsed.values, positionals: parsed.positionals as readonly string[] }
}

/** When the reader of the output has seen enough, as `head` has, what was begun is still ended in order. */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}

const HELP = { type: 'boolean', short: 'h' } as const

/** What `read` makes of the arguments; its error is a mistake in them. */
export function parse<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    return end(EXIT_USAGE, `${oneLine(error)}; --help explains the arguments`)
  }
}

/** A flag that is an integer, from 0 unless `from` says otherwise. */
export function integer(name: string, text: string, from = 0): number {
  return parse(() => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value) && value >= from) return value
    throw new Error(`--${name} is ${JSON.stringify(text)}; it must be an integer from ${from}`)
  })
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.split('\n', 1)[0] ?? ''
}

function end(code: number, line: string): never {
  process.stderr.write(`${line}\n`)
  process.exit(code)
}
