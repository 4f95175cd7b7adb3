import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '@agentic-hooks/testing/random'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { damaged, type FuzzOptions, readCorpus } from './fuzz.ts'

const CONNECTIONS = 16
const EVENT = {
  event_type: 'tool_blocked',
  session_id: 'session',
  data: { tool_name: 'Bash', n: -9007199254740991, list: [null, true, { 'k"': 'é 😀 \u0000' }] },
  timestamp: '2026-11-22T15:36:00.123456Z',
}
const HOOK = {
  hook_event_name: 'PreToolUse',
  session_id: 'session',
  tool_name: 'Bash',
  tool_input: { command: 'ls' },
}
/** What the other JSON routes take. */
const BODIES = [EVENT, { events: [EVENT, EVENT] }, HOOK]
const JSON_ROUTES = ['/v1/logs', '/events', '/events/batch', '/hooks/claude-code']

export interface HttpFuzzResult {
  readonly byStatus: Readonly<Record<string, number>>
  /** Of the receiver, a tenth of the bodies after the start and at the end; null where the system does not tell. */
  readonly residentMegabytes: readonly [number | null, number | null]
  /** Answers that are neither 2xx nor 4xx, and requests without an answer. */
  readonly failures: readonly string[]
}

/** Posts damaged bodies to a receiver in a process of its own, which has to answer each with 2xx or 4xx. */
export async function fuzzOverHttp({
  seed,
  bodies,
  report = () => {},
}: FuzzOptions): Promise<HttpFuzzResult> {
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-fuzz-'))
  try {
    await using receiver = await startReceiver({ cwd: folder })
    return await post(receiver, { seed, bodies, report })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function post(
  { url, pid }: RunningReceiver,
  { seed, bodies, report }: Required<FuzzOptions>,
): Promise<HttpFuzzResult> {
  const random = new Random(seed)
  const corpus = [
    ...readCorpus(),
    ...BODIES.map((body) => ({ isJson: true, body: Buffer.from(JSON.stringify(body)) })),
  ]
  const byStatus: Record<string, number> = {}
  const failures: string[] = []
  let sent = 0
  let early: number | null = null
  const connection = async () => {
    while (sent < bodies) {
      const index = sent++
      const { body, isJson } = damaged(corpus, random)
      const route = isJson ? random.pick(JSON_ROUTES) : '/v1/logs'
      const status = await statusOf(`${url}${route}`, body, isJson)
      byStatus[status] = (byStatus[status] ?? 0) + 1
      if (!/^[24]/.test(status)) failures.push(`body ${index} of seed ${seed} to ${route}: ${status}`)
      if (sent === Math.ceil(bodies / 10)) early = residentMegabytes(pid)
      if (index % 100_000 === 99_999) report(`${index + 1} bodies, ${residentMegabytes(pid)} MB`)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  return { byStatus, residentMegabytes: [early, residentMegabytes(pid)], failures }
}

async function statusOf(url: string, body: Buffer, isJson: boolean): Promise<string> {
  try {
    const headers = { 'Content-Type': isJson ? 'application/json' : 'application/x-protobuf' }
    const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
    await response.arrayBuffer()
    return String(response.status)
  } catch (error) {
    return `no answer: ${error instanceof Error ? (error.cause ?? error) : error}`
  }
}

function residentMegabytes(pid: number): number | null {
  try {
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return kilobytes && Math.round(Number(kilobytes[1]) / 1024)
  } catch {
    return null
  }
}
