import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../receiver/src/main.ts', import.meta.url))
const STOP_TIMEOUT_MILLIS = 20_000

export interface ReceiverOptions {
  /** Added to the environment, which else has only PATH and PORT=0. */
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** Where it runs; the default JSONL_PATH lies below. Default: the test's own. */
  readonly cwd?: string
  /** Flags for Node, before the script. */
  readonly nodeArgs?: readonly string[]
}

/** One JSON line of the receiver's log. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [key: string]: unknown
}

export interface ReceiverExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface RunningReceiver extends AsyncDisposable {
  /** As in `http://127.0.0.1:40123`. */
  readonly url: string
  readonly urls: readonly string[]
  /** Of ADMIN_PORT, where that is set. */
  readonly adminUrl: string | null
  readonly pid: number
  /** What it has logged so far. */
  readonly log: readonly LogLine[]
  /** What it has written to standard error so far. */
  stderr(): string
  /** Resolves to how it ended. */
  readonly exited: Promise<ReceiverExit>
  kill(signal: NodeJS.Signals): void
  /** SIGTERM, then waits. @throws Error when it ends in any other way than by itself with code 0 */
  stop(): Promise<void>
}

/**
 * Starts the real receiver, `receiver/src/main.ts`, in a process of its own on free ports.
 * @throws Error with what it wrote, when it ends before it listens
 */
export async function startReceiver(options: ReceiverOptions = {}): Promise<RunningReceiver> {
  const child = spawn(
    process.execPath,
    [...(options.nodeArgs ?? []), '-C', '@agentic-hooks/source', MAIN, ...(options.args ?? [])],
    {
      cwd: options.cwd,
      env: { PATH: process.env.PATH, PORT: '0', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const log: LogLine[] = []
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exited = once(child, 'close').then(([code, signal]): ReceiverExit => ({ code, signal }))
  const listening = new Promise<LogLine>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const entry = JSON.parse(line) as LogLine
      log.push(entry)
      if (entry.msg === 'listening') resolve(entry)
    })
    exited.then(({ code }) => {
      const written = [...log.map((entry) => JSON.stringify(entry)), stderr].join('\n')
      reject(new Error(`the receiver ended with code ${code} before it listened:\n${written}`))
    })
  })
  const { url, urls, adminUrl } = (await listening) as LogLine & {
    url: string
    urls: string[]
    adminUrl: string | null
  }
  const stop = () => stopByItself(child, exited, () => stderr)
  return {
    url,
    urls,
    adminUrl,
    pid: child.pid!,
    log,
    stderr: () => stderr,
    exited,
    kill: (signal) => void child.kill(signal),
    stop,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await stop()
    },
  }
}

async function stopByItself(
  child: ChildProcess,
  exited: Promise<ReceiverExit>,
  stderr: () => string,
): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MILLIS)
  const { code, signal } = await exited
  clearTimeout(timer)
  if (code !== 0) throw new Error(`the receiver ended with ${signal ?? `code ${code}`}: ${stderr()}`)
}
