import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { vi } from 'vitest'

/** What child.ts tells. */
export interface Told {
  readonly started?: true
  readonly acknowledged?: readonly string[]
  readonly error?: string
}

/** A process that writes to a path until it is killed. */
export interface Writer {
  readonly pid: number
  readonly told: readonly Told[]
  /** Resolves with the first message that fits. */
  waitFor(fits: (told: Told) => boolean): Promise<Told>
  /** Resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>
  readonly exited: Promise<unknown>
}

export function startWriter(path: string, batches?: number): Writer {
  const args = batches === undefined ? [path] : [path, String(batches)]
  const child = fork(join(import.meta.dirname, 'child.ts'), args, {
    execArgv: ['-C', '@agentic-hooks/source'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const told: Told[] = []
  child.on('message', (message: Told) => told.push(message))
  const exited = once(child, 'exit')
  return {
    pid: child.pid!,
    told,
    exited,
    waitFor: (fits) =>
      vi.waitFor(
        () => {
          const found = told.find(fits)
          if (!found) throw new Error(`the writer told only ${JSON.stringify(told)}`)
          return found
        },
        { timeout: 20_000, interval: 10 },
      ),
    async kill(signal = 'SIGKILL') {
      child.kill(signal)
      await exited
    },
  }
}
