import { setTimeout as delay } from 'node:timers/promises'
import { HookClient } from '@agentic-hooks/instrumentation'
import type { Recording } from './recording.ts'

export interface SwarmOptions {
  readonly endpoint: string
  /** Sessions to replay, each by an agent with a HookClient of its own; they take turns with the recordings. */
  readonly agents: number
  /** 1 is as recorded, 10 ten times faster, Infinity waits for nothing. */
  readonly speed: number
  readonly onEmit?: (emitted: number) => void
}

/** Replays the recordings, all at the same time. Resolves when every event was delivered or given up. */
export async function replaySwarm(
  recordings: readonly Recording[],
  { endpoint, agents, speed, onEmit }: SwarmOptions,
): Promise<{ emitted: number }> {
  let emitted = 0
  const replay = async (agent: number) => {
    const { recording, sessionId } = sessionOf(recordings, agent)
    await using client = new HookClient({ endpoint })
    const startMillis = Date.now()
    for (const { offsetMillis, eventType, data } of recording.events) {
      const waitMillis = startMillis + offsetMillis / speed - Date.now()
      if (waitMillis > 0) await delay(waitMillis)
      client.emit({ eventType, sessionId, workflowId: recording.task, data })
      onEmit?.(++emitted)
    }
    await client.flush()
  }
  await Promise.all(Array.from({ length: agents }, (_, agent) => replay(agent)))
  return { emitted }
}

/** The first agents keep the recorded session ids, every further one has an id of its own. */
export function sessionOf(recordings: readonly Recording[], agent: number) {
  const recording = recordings[agent % recordings.length]!
  const round = Math.floor(agent / recordings.length)
  return { recording, sessionId: round ? `${recording.sessionId}-${round + 1}` : recording.sessionId }
}
