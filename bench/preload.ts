import { execFile, execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BenchOptions, interleaved, medianRow, type Row } from './harness.ts'

export const question =
  'What does the preload add to an agent: to its start, its memory and each of its tool calls?'

const ROOT = join(import.meta.dirname, '..')
const AGENT = join(import.meta.dirname, 'preload-agent.mjs')
const START_RUNS = 9
const TOOL_RUNS = 5
const TOOL_CALLS = 2_000

/** Agents that are started: one call of one tool, with a model that answers at once. */
const LIBRARIES = ['ai', 'langchain', 'mcp', 'openai-agents']

export async function run({ runs }: BenchOptions = {}): Promise<readonly Row[]> {
  // As users load it: compiled and bundled.
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'ignore' })
  const rows: Row[] = []
  for (const [calls, count] of [
    [1, runs ?? START_RUNS],
    [TOOL_CALLS, runs ?? TOOL_RUNS],
  ] as const) {
    for (const library of LIBRARIES) {
      const start = (preload: boolean) => () => startAgent(library, calls, preload)
      const measured = await interleaved({ alone: start(false), preloaded: start(true) }, count)
      const [alone, preloaded] = [medianRow(measured.alone), medianRow(measured.preloaded)]
      rows.push(calls === 1 ? startRow(library, alone, preloaded) : toolRow(library, alone, preloaded))
    }
  }
  return rows
}

function startRow(library: string, alone: Row, preloaded: Row): Row {
  return {
    agent: `${library}: start and one tool call`,
    'alone ms': alone.ms,
    'preloaded ms': preloaded.ms,
    'added ms': Number(preloaded.ms) - Number(alone.ms),
    'added CPU ms': Number(preloaded.cpuMs) - Number(alone.cpuMs),
    'added MB': Number(preloaded.megabytes) - Number(alone.megabytes),
  }
}

function toolRow(library: string, alone: Row, preloaded: Row): Row {
  return {
    agent: `${library}: each of ${TOOL_CALLS.toLocaleString('en')} tool calls`,
    'alone µs': alone.callMicros,
    'preloaded µs': preloaded.callMicros,
    'added µs': Number(preloaded.callMicros) - Number(alone.callMicros),
    'added CPU µs': Number(preloaded.callCpuMicros) - Number(alone.callCpuMicros),
  }
}

/** An agent in a process of its own, whose events go to a server here. */
async function startAgent(library: string, calls: number, preload: boolean): Promise<Row> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', 'application/x-protobuf').end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        ...(preload ? ['--require', '@agentic-hooks/instrumentation/register'] : []),
        AGENT,
        library,
        String(calls),
      ],
      {
        cwd: import.meta.dirname,
        env: {
          ...process.env,
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
          OTEL_BLRP_MAX_QUEUE_SIZE: '1000000',
        },
      },
    )
    return JSON.parse(stdout.trim().split('\n').at(-1)!)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

if (import.meta.main) {
  const { formatTable } = await import('./harness.ts')
  console.log(formatTable(await run()))
}
