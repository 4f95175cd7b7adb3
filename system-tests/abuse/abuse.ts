import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { send } from '@agentic-hooks/testing/http'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import type { Scale, Statuses } from './attacks.ts'
import { bystand, type Experience } from './bystander.ts'

const NULL_EXPORTER = fileURLToPath(new URL('../../testing/src/null-exporter.js', import.meta.url))

export interface Report {
  readonly statuses: Statuses
  readonly bystander: Experience
  /** Of the receiver, the highest seen during the attack. */
  readonly peakMemoryBytes: number
}

/** A receiver in a process of its own that stores nothing, so that only the receiver is tried. */
export function startVictim(env: Readonly<Record<string, string>>): Promise<RunningReceiver> {
  return startReceiver({ env: { EXPORTERS: JSON.stringify([{ package: NULL_EXPORTER }]), ...env } })
}

/** Attacks the receiver while a bystander uses it. */
export async function abuse(receiver: RunningReceiver, attack: string, scale: Scale): Promise<Report> {
  const over = new AbortController()
  const bystander = bystand(new URL(receiver.url), over.signal)
  const memory = watchMemory(receiver, over.signal)
  const worker = new Worker(new URL('attacker.ts', import.meta.url), {
    workerData: { attack, url: receiver.url, scale },
    execArgv: ['-C', '@agentic-hooks/source'],
  })
  const [statuses] = (await once(worker, 'message')) as [Statuses]
  over.abort()
  await worker.terminate()
  return { statuses, bystander: await bystander, peakMemoryBytes: await memory }
}

async function watchMemory(receiver: RunningReceiver, signal: AbortSignal): Promise<number> {
  let peak = 0
  do {
    const { body } = await send(receiver.url, { method: 'GET', path: '/metrics' })
    const [, bytes] = /^process_resident_memory_bytes (\d+)/m.exec(body.toString()) ?? []
    peak = Math.max(peak, Number(bytes))
  } while (!signal.aborted)
  return peak
}
