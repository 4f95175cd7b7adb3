import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { execute } from '@agentic-hooks/testing/postgres'
import type { BenchOptions, Row } from './harness.ts'
import { peakResidentBytes, treeCpuSeconds } from './processes.ts'
import { startReceiver } from './servers.ts'
import { postgresStorage } from './storage.ts'

export const question = 'What do 1,000 agents cost, each with a HookClient of its own, ten events a second?'

const PROCESSES = 4
const AGENTS = 1_000
const EVENTS_PER_SECOND = 10

interface ProcessReport {
  readonly emitted: number
  readonly cpuSeconds: number
  readonly bareBytes: number
  readonly peakBytes: number
}

export async function run({ durationMillis = 20_000 }: BenchOptions = {}): Promise<readonly Row[]> {
  const storage = await postgresStorage()
  try {
    await using receiver = await startReceiver(storage.environment)
    const postgresBefore = treeCpuSeconds(storage.postgresPid)
    const receiverBefore = treeCpuSeconds(receiver.pid)
    const processes = await Promise.all(
      Array.from({ length: PROCESSES }, (_, index) => runAgents(receiver.url, index, durationMillis / 1000)),
    )
    const sum = (key: keyof ProcessReport) => processes.reduce((total, report) => total + report[key], 0)
    const emitted = sum('emitted')
    const micros = (seconds: number) => (seconds * 1e6) / emitted
    return [
      {
        agents: AGENTS,
        'events emitted': emitted,
        'events stored': await storage.count(),
        ...(await delays(storage.url)),
        'agents µs/event': micros(sum('cpuSeconds')),
        'receiver µs/event': micros(treeCpuSeconds(receiver.pid) - receiverBefore),
        'PostgreSQL µs/event': micros(treeCpuSeconds(storage.postgresPid) - postgresBefore),
        'KB/agent': (sum('peakBytes') - sum('bareBytes')) / AGENTS / 1000,
        'receiver peak MB': peakResidentBytes(receiver.pid) / 1e6,
      },
    ]
  } finally {
    await storage.stop()
  }
}

async function runAgents(endpoint: string, index: number, seconds: number): Promise<ProcessReport> {
  const agents = AGENTS / PROCESSES
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['-C', '@agentic-hooks/source', join(import.meta.dirname, 'swarm-agents.ts')],
    ...[endpoint, index * agents, agents, EVENTS_PER_SECOND, seconds].map(String),
  ])
  return JSON.parse(stdout) as ProcessReport
}

/** From emit until the receiver has it: the client's batching and the way. */
async function delays(url: string): Promise<Row> {
  const [row] = await execute(
    url,
    `SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
       ORDER BY 1000 * extract(epoch FROM received_at - "timestamp")) AS millis FROM hook_events`,
  )
  const [p50, p99] = (row?.millis ?? []) as number[]
  return { 'delay p50 ms': p50, 'delay p99 ms': p99 }
}
