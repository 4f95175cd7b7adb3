import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { collectorPath } from './build.ts'

/** How a Collector is run. It is stopped until start(), and again after end(). */
export interface CollectorRunner {
  /** Resolves when it runs, which is before it is ready. */
  start(): Promise<void>
  /** Resolves when it is gone. Safe when it is. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** What it has logged so far, over all its lives. */
  log(): Promise<string>
  dispose(): Promise<void>
}

export interface CollectorCommand {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** The Collector that `npm run collector` builds, or OTELCOL_BIN, as a process. */
export async function collectorProcess({ args, env }: CollectorCommand): Promise<CollectorRunner> {
  const binary = await collectorPath()
  let child: ChildProcess | undefined
  let log = ''
  const end = async (signal: NodeJS.Signals) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'close')
    child.kill(signal)
    await exited
  }
  return {
    async start() {
      child = spawn(binary, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        log += text
      })
    },
    end,
    log: async () => log,
    dispose: () => end('SIGKILL'),
  }
}
