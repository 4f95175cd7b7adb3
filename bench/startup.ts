import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type BenchOptions, interleaved, medianRows, type Row } from './harness.ts'
import { startReceiver } from './servers.ts'
import { jsonlStorage } from './storage.ts'

export const question =
  'What does loading the client add to the start of an agent, and how long does the receiver take?'

const ROOT = join(import.meta.dirname, '..')
const REPORT = ';console.log(process.memoryUsage.rss())'

export async function run({ runs = 15 }: BenchOptions = {}): Promise<readonly Row[]> {
  // As users load it: compiled, not stripped of its types at every start.
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'ignore' })
  const node =
    (...args: string[]) =>
    () =>
      startNode(args)
  const loads = await interleaved(
    {
      'node alone': node('-e', REPORT.slice(1)),
      '+ HookClient': node('-e', `import('@agentic-hooks/instrumentation').then(() => {${REPORT}})`),
      '+ --require register': node(
        '--require',
        '@agentic-hooks/instrumentation/register',
        '-e',
        REPORT.slice(1),
      ),
      '+ sdk-logs and its OTLP exporter': node(
        '-e',
        `Promise.all([import('@opentelemetry/sdk-logs'), import('@opentelemetry/exporter-logs-otlp-proto')]).then(() => {${REPORT}})`,
      ),
      '+ @opentelemetry/sdk-node': node('-e', `import('@opentelemetry/sdk-node').then(() => {${REPORT}})`),
    },
    runs,
  )
  const rows = medianRows(loads)
  const [bare] = rows
  const started = await interleaved({ 'receiver until it listens': startReceiverOnce }, Math.min(runs, 5))
  return [
    ...rows.map((row) => ({
      ...row,
      'added ms': Number(row.ms) - Number(bare?.ms),
      'added MB': Number(row.MB) - Number(bare?.MB),
    })),
    ...medianRows(started),
  ]
}

async function startNode(args: readonly string[]): Promise<Row> {
  const start = performance.now()
  const output = execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: 'utf8' })
  return { ms: performance.now() - start, MB: Number(output.trim().split('\n').at(-1)) / 1e6 }
}

async function startReceiverOnce(): Promise<Row> {
  const storage = await jsonlStorage()
  const start = performance.now()
  const receiver = await startReceiver(storage.environment)
  const ms = performance.now() - start
  await receiver.stop()
  await storage.stop()
  return { ms }
}
