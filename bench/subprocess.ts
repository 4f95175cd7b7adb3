import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { HookClient } from '@agentic-hooks/instrumentation'
import { type BenchOptions, median, type Row } from './harness.ts'
import { reapedCpuSeconds } from './processes.ts'
import { startReceiver } from './servers.ts'
import { jsonlStorage } from './storage.ts'

export const question = 'What does an event cost the agent when each one starts a process, as it did before?'

const PROCESSES = 30
const EMITS = 20_000

const EVENT = {
  event_type: 'tool_execution_started',
  session_id: 'bench',
  data: { tool_name: 'Bash', tool_use_id: 'toolu_01', tool_input: { command: 'npm test' } },
}

const PYTHON_APPEND = `
import json, sys, time, uuid
event = json.load(sys.stdin)
event["event_id"] = str(uuid.uuid4())
event["timestamp"] = time.time()
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(event) + "\\n")
`
const PYTHON_POST = `
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], sys.stdin.buffer.read(), {"Content-Type": "application/json"})
urllib.request.urlopen(request).read()
`
const NODE_APPEND = `
const fs = require('node:fs')
const event = JSON.parse(fs.readFileSync(0, 'utf8'))
event.event_id = crypto.randomUUID()
event.timestamp = new Date().toISOString()
fs.appendFileSync(process.argv[1], JSON.stringify(event) + '\\n')
`
const NODE_POST = `
const body = require('node:fs').readFileSync(0)
fetch(process.argv[1], { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
`

export async function run({ runs = PROCESSES }: BenchOptions = {}): Promise<readonly Row[]> {
  const storage = await jsonlStorage()
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-bench-'))
  const receiver = await startReceiver(storage.environment)
  const url = `${receiver.url}/events`
  const file = join(folder, 'appended.jsonl')
  const python = findPython()
  try {
    return [
      ...(python
        ? [
            perProcess('python3 appends a line', [python, '-c', PYTHON_APPEND, file], runs),
            perProcess('python3 posts', [python, '-c', PYTHON_POST, url], runs),
          ]
        : []),
      perProcess('node appends a line', [process.execPath, '-e', NODE_APPEND, file], runs),
      perProcess('node posts', [process.execPath, '-e', NODE_POST, url], runs),
      perProcess(
        'curl posts',
        ['curl', '-sfH', 'Content-Type: application/json', '--data-binary', '@-', url],
        runs,
      ),
      await perEmit(receiver.url),
    ]
  } finally {
    await receiver.stop()
    await storage.stop()
    rmSync(folder, { recursive: true })
  }
}

/** The interpreter itself: `python3` on the path may be a script that looks for one. */
function findPython(): string | null {
  try {
    return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

function perProcess(variant: string, [command, ...args]: readonly string[], runs: number): Row {
  const cpuBefore = reapedCpuSeconds(process.pid)
  const millis = Array.from({ length: runs }, () => {
    const start = performance.now()
    const { status, stderr } = spawnSync(command!, args, { input: JSON.stringify(EVENT) })
    if (status !== 0) throw new Error(`${variant} failed: ${stderr}`)
    return performance.now() - start
  })
  const cpu = ((reapedCpuSeconds(process.pid) - cpuBefore) * 1e6) / runs
  return { variant, 'agent waits µs': median(millis) * 1000, 'CPU µs': cpu }
}

async function perEmit(endpoint: string): Promise<Row> {
  const { event_type: eventType, session_id: sessionId, data } = EVENT
  await using client = new HookClient({ endpoint })
  const emit = () => client.emit({ eventType, sessionId, data })
  for (let warmup = 0; warmup < EMITS / 10; warmup++) emit()
  await client.flush()
  const cpuBefore = process.cpuUsage()
  const micros: number[] = []
  for (let count = 0; count < EMITS; count++) {
    const start = performance.now()
    emit()
    micros.push((performance.now() - start) * 1000)
    // As an agent does: its event loop gets its turn between events.
    if (count % 100 === 99) await client.flush()
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  return { variant: 'HookClient.emit', 'agent waits µs': median(micros), 'CPU µs': (user + system) / EMITS }
}
