import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startReceiver } from '@agentic-hooks/bench/servers'
import { commandLine } from '@agentic-hooks/testing/command-line'

// `npm run examples`: a receiver, and every agent of this folder started with the preload. Prints what each agent said
// and what arrived from it. Nothing leaves this machine: models answer from a script.

/** Agents that need more than this project's own dependencies; `npm run test:matrix` installs it. */
const MATRIX = join(import.meta.dirname, '../system-tests/matrix/node_modules')
const NEED_MATRIX = ['langgraph', 'google-genai', 'claude-agent-sdk']
const EXAMPLES = [
  'ai',
  'langchain',
  'langgraph',
  'openai-agents',
  'claude-agent-sdk',
  'mcp',
  'openai',
  'anthropic',
  'google-genai',
  'custom',
]

interface StoredLine {
  readonly event_type: string
  readonly session_id: string
  readonly data: Record<string, unknown>
}

commandLine(
  'npm run examples\n\nRuns every agent of examples/ with the preload, and prints what arrives.\n',
  {},
)

const folder = mkdtempSync(join(tmpdir(), 'examples-'))
const lines = join(folder, 'events.jsonl')
linkLibraries()
{
  await using receiver = await startReceiver({ STORAGE_TYPE: 'jsonl', JSONL_PATH: lines })
  let seen = 0
  for (const name of EXAMPLES) {
    if (NEED_MATRIX.includes(name) && !existsSync(MATRIX)) {
      console.log(`\n${name}: skipped, its library is not installed; npm run test:matrix installs it`)
      continue
    }
    console.log(`\n\x1b[1mnode --require @agentic-hooks/instrumentation/register examples/${name}.mjs\x1b[0m`)
    const exitCode = await runAgent(name, receiver.url)
    const events = readEvents()
    const arrived = events.slice(seen)
    for (const event of arrived) console.log(`  ${describe(event)}`)
    seen = events.length
    const isWhole = arrived.some(({ event_type }) => event_type === 'session_completed')
    if (exitCode !== 0 || !isWhole) {
      console.log(`  ${name} ended with ${exitCode}, ${arrived.length} events arrived`)
      process.exitCode = 1
    }
  }
}
rmSync(folder, { recursive: true })

function linkLibraries(): void {
  const link = join(import.meta.dirname, 'node_modules')
  if (existsSync(MATRIX) && !existsSync(link)) symlinkSync('../system-tests/matrix/node_modules', link)
}

function runAgent(name: string, endpoint: string): Promise<number | null> {
  const preload = ['-C', '@agentic-hooks/source', '--require', '@agentic-hooks/instrumentation/register']
  const child = spawn(process.execPath, [...preload, join(import.meta.dirname, `${name}.mjs`)], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: name },
  })
  return new Promise((resolve) => child.on('close', resolve))
}

function readEvents(): StoredLine[] {
  if (!existsSync(lines)) return []
  const text = readFileSync(lines, 'utf8')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

/** One event as a line, with what matters most of its data. */
function describe({ event_type, session_id, data }: StoredLine): string {
  const { scope, agent_name, tool_name, prompt, reason, error, usage, duration_ms } = data
  const tokens = usage as { input_tokens?: number; output_tokens?: number } | undefined
  const details = [
    scope && String(scope).replace('_', ' '),
    agent_name && `by ${agent_name}`,
    tool_name,
    prompt && `"${prompt}"`,
    error && `failed: ${error}`,
    event_type === 'tool_blocked' && `because ${reason}`,
    tokens?.input_tokens !== undefined && `${tokens.input_tokens} + ${tokens.output_tokens} tokens`,
    typeof duration_ms === 'number' && `${duration_ms.toFixed(1)} ms`,
  ]
  return [session_id.slice(-24).padEnd(24), event_type.padEnd(25), ...details.filter(Boolean)].join('  ')
}
