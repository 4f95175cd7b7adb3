import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { AgentPlan } from './agent.ts'

const AGENT = fileURLToPath(new URL('./agent.ts', import.meta.url))

export interface AgentRun {
  readonly child: ChildProcess
  /** Lines of its standard output so far. */
  readonly lines: string[]
  /** Resolves when it has emitted everything. */
  readonly emitted: Promise<void>
  readonly ended: Promise<AgentEnd>
}

export interface AgentEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
  /** Of the events whose `emit` had returned, with `printIds`. */
  readonly ids: readonly string[]
  /** Between the end of its own work and its end. */
  readonly delayMillis: number
}

/** Runs the agent of agent.ts in a process of its own. */
export function runAgent(plan: AgentPlan): AgentRun {
  const child = spawn(process.execPath, ['-C', '@agentic-hooks/source', AGENT, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH },
  })
  const lines: string[] = []
  const emitted = Promise.withResolvers<void>()
  let emittedAt = Date.now()
  createInterface(child.stdout!).on('line', (line) => {
    lines.push(line)
    if (line !== 'emitted') return
    emittedAt = Date.now()
    emitted.resolve()
  })
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]): AgentEnd => {
    const ids = lines.filter((line) => /^[\da-f-]{36}$/.test(line))
    return { code, signal, stderr, ids, delayMillis: Date.now() - emittedAt }
  })
  return { child, lines, emitted: emitted.promise, ended }
}
