import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type ReceivedEvent, startSink } from './sink.ts'

/** The matrix runs what is published; the tests run the sources. */
const { MATRIX } = process.env
const PRELOAD = fileURLToPath(
  new URL(MATRIX ? '../../dist/preload/preload.cjs' : '../../src/preload/preload.cts', import.meta.url),
)
const CONDITIONS = MATRIX ? [] : ['-C', '@agentic-hooks/source']

/** How the preload gets into the process; `none` is the application alone. */
export type Preload = 'require' | 'import' | 'none'

export interface RunOptions {
  readonly preload?: Preload
  readonly args?: readonly string[]
  readonly nodeArgs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Another Node than this one. */
  readonly node?: string | undefined
}

export interface AgentRun {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly events: readonly ReceivedEvent[]
}

/** Runs an application in a process of its own and waits for it and its events. */
export async function runAgent(file: URL, options: RunOptions = {}): Promise<AgentRun> {
  const { preload = 'require', args = [], nodeArgs = [], env = {}, node = process.execPath } = options
  await using sink = await startSink()
  const flags = preload === 'none' ? [] : [`--${preload}`, PRELOAD]
  const child = spawn(node, [...CONDITIONS, ...flags, ...nodeArgs, fileURLToPath(file), ...args], {
    env: { ...plainEnvironment(), ...exporterEnvironment(sink.url), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const { exitCode, signal } = await new Promise<Pick<AgentRun, 'exitCode' | 'signal'>>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, killedBy) => resolve({ exitCode: code, signal: killedBy }))
  })
  return { exitCode, signal, stdout, stderr, events: sink.events }
}

/** What the test runner set for itself would change how libraries behave: OpenAI's tracing is off in tests. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_ENV: _env, VITEST: _vitest, NODE_OPTIONS: _options, MATRIX: _matrix, ...rest } = process.env
  return rest
}

function exporterEnvironment(url: string): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BLRP_SCHEDULE_DELAY: '100',
  }
}

/**
 * One line an event, with what tells it from the others and nothing that changes from run to run, as in
 * `tool_execution_completed weather c2 failed: no such city`.
 */
export function summarize(events: readonly ReceivedEvent[]): string[] {
  return events.map(({ eventType, data }) => {
    const {
      scope,
      agent_name,
      agent_id,
      tool_name,
      tool_use_id,
      success,
      error,
      reason,
      decision,
      stop_reason,
    } = data
    return [
      scope ? `${eventType}(${scope})` : eventType,
      agent_name && (agent_id ? `[${agent_name}]` : `${agent_name}:`),
      tool_name,
      tool_use_id && !UUID.test(String(tool_use_id)) ? tool_use_id : undefined,
      data.prompt && `"${data.prompt}"`,
      decision,
      success === false ? `failed: ${error}` : undefined,
      eventType === 'session_completed' ? undefined : reason && `because ${reason}`,
      stop_reason,
    ]
      .filter(Boolean)
      .join(' ')
  })
}

const UUID = /^[0-9a-f]{8}-/
