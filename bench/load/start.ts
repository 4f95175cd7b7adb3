import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { IntervalReport, LoadOptions, LoadReport } from './options.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

/**
 * Runs the load generator in a process of its own and resolves with its report. When the signal aborts, it
 * stops sending, waits for the last answers and reports what was until then.
 * @throws Error with what the generator said when it fails
 */
export async function startLoad(
  options: LoadOptions,
  { onInterval, signal }: { onInterval?: (report: IntervalReport) => void; signal?: AbortSignal } = {},
): Promise<LoadReport> {
  const child = spawn(
    process.execPath,
    ['-C', '@agentic-hooks/source', MAIN, '--json', ...toArguments(options)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const stop = () => child.kill('SIGTERM')
  signal?.addEventListener('abort', stop, { once: true })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  let report: LoadReport | undefined
  createInterface(child.stdout).on('line', (line) => {
    const message = JSON.parse(line) as { interval?: IntervalReport; report?: LoadReport }
    if (message.interval) onInterval?.(message.interval)
    report = message.report
  })
  const code = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject))
  signal?.removeEventListener('abort', stop)
  if (!report) throw new Error(`the load generator ended with code ${code}: ${errors.trim()}`)
  return report
}

function toArguments(options: LoadOptions): string[] {
  const flags: Record<string, string | number | undefined> = {
    target: options.target,
    protocol: options.protocol,
    connections: options.connections,
    records: options.records,
    rate: options.rate,
    duration: options.durationMillis && `${options.durationMillis}ms`,
    warmup: options.warmupMillis && `${options.warmupMillis}ms`,
    events: options.totalEvents,
    interval: options.intervalMillis && `${options.intervalMillis}ms`,
  }
  const headers = Object.entries(options.headers ?? {}).flatMap(([name, value]) => [
    '--header',
    `${name}: ${value}`,
  ])
  return [
    ...Object.entries(flags).flatMap(([name, value]) => (value ? [`--${name}`, String(value)] : [])),
    ...(options.gzip ? ['--gzip'] : []),
    ...headers,
  ]
}
