import { writeSync } from 'node:fs'
import { uuidv7 } from '@agentic-hooks/events'
import type { HookClientOptions } from '@agentic-hooks/instrumentation'
import { HookClient } from '@agentic-hooks/instrumentation'

/** What the program below does, as JSON in its first argument. */
export interface AgentPlan {
  readonly options: HookClientOptions
  readonly events: number
  /** Writes each id to standard output once `emit` has returned. */
  readonly printIds?: boolean
  /** Between two events; 0 only lets the event loop turn. Default: all events in one tick. */
  readonly pauseMillis?: number
  /** Default: `return`, the end of the program's code. */
  readonly end?: 'return' | 'exit' | 'throw' | 'wait' | 'flush'
  readonly exitCode?: number
  /** What its own handler of SIGTERM does; without one it has none. */
  readonly onSigterm?: 'exit' | 'ignore'
  /** Loads this package first, which watches signals too. */
  readonly load?: string
}

/** An agent for tests that end it in every way: emits, says so on standard output, and ends. */
async function main(plan: AgentPlan): Promise<void> {
  if (plan.load) {
    const { onExit } = await import(plan.load)
    onExit(() => writeSync(1, 'its exit hook ran\n'))
  }
  if (plan.onSigterm) {
    process.on('SIGTERM', () => {
      writeSync(1, 'its handler ran\n')
      if (plan.onSigterm === 'exit') process.exit(plan.exitCode)
    })
  }
  const client = new HookClient(plan.options)
  for (let n = 0; n < plan.events; n++) {
    const eventId = uuidv7()
    client.emit({ eventType: 'custom', sessionId: 'agent', eventId, data: { n, pid: process.pid } })
    if (plan.printIds) writeSync(1, `${eventId}\n`)
    if (plan.pauseMillis !== undefined) await new Promise((resolve) => setTimeout(resolve, plan.pauseMillis))
  }
  writeSync(1, 'emitted\n')
  if (plan.exitCode !== undefined) process.exitCode = plan.exitCode
  switch (plan.end) {
    case 'exit':
      process.exit()
      break
    case 'throw':
      throw new Error('thrown by the agent')
    case 'wait':
      setInterval(() => {}, 1000)
      break
    case 'flush':
      writeSync(1, `${JSON.stringify(await client.flush())}\n`)
  }
}

if (import.meta.main) await main(JSON.parse(process.argv[2]!))
