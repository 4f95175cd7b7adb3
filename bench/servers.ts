import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const MAIN = join(import.meta.dirname, '../receiver/src/main.ts')
const STOP_TIMEOUT_MILLIS = 30_000
/** Of a server's output, for the error when it does not start. */
const MOST_OUTPUT_LINES = 100

/** A server in a process of its own. */
export interface Server extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** Ends it in the orderly way. */
  stop(): Promise<void>
}

/** The receiver as `npm start` runs it, on a free port of the loopback. */
export function startReceiver(environment: Readonly<Record<string, string>>): Promise<Server> {
  const options = ['--max-semi-space-size=16', '-C', '@agentic-hooks/source']
  return startServer([process.execPath, ...options, MAIN], {
    environment: { PORT: '0', HOST: '127.0.0.1', ...environment },
    portIn: (line) => /http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1],
  })
}

/** A bare `node:http` server that answers 200 and stores nothing. */
export function startSink(): Promise<Server> {
  return startServer([process.execPath, join(import.meta.dirname, 'sink.ts')], {
    portIn: (line) => /:(\d+)$/.exec(line)?.[1],
  })
}

interface ServerOptions {
  readonly environment?: Readonly<Record<string, string>>
  /** The port, from the line of output which says that the server listens. */
  readonly portIn: (line: string) => string | undefined
}

/**
 * Resolves once the server says that it listens.
 * @throws Error with what it printed when it ends before that
 */
export async function startServer(
  [command, ...args]: readonly string[],
  { environment, portIn }: ServerOptions,
): Promise<Server> {
  const child = spawn(command!, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: string[] = []
  const listening = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        if (output.length < MOST_OUTPUT_LINES) output.push(line)
        const port = portIn(line)
        if (port) resolve(port)
      })
    }
  })
  const ended = Promise.race([once(child, 'exit'), once(child, 'error')]).then(() => {
    throw new Error(`${command} ${args.join(' ')} did not start:\n${output.join('\n')}`)
  })
  // Once it listens nobody waits for this any more.
  ended.catch(() => {})
  return {
    url: `http://127.0.0.1:${await Promise.race([listening, ended])}`,
    pid: child.pid!,
    stop: () => stop(child),
    [Symbol.asyncDispose]: () => stop(child),
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MILLIS)
  await exited
  clearTimeout(timer)
}
