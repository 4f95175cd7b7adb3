import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { collectorPath } from '../scripts/collector/build.ts'
import { freePort } from '../test/postgres.ts'

/** The configuration that this project ships, to which a test adds what it needs. */
export const SHIPPED_CONFIG = join(import.meta.dirname, '..', 'otel-collector-config.yaml')

const START_TIMEOUT_MILLIS = 30_000
const POLL_MILLIS = 50

export interface CollectorOptions {
  /** Where it forwards to. */
  readonly receiverUrl?: string
  /** More environment, for the names that the configuration file has. */
  readonly env?: Readonly<Record<string, string>>
  /** Laid over the configuration in this order, as in `yaml:exporters::file::path: /tmp/x`. */
  readonly overlays?: readonly string[]
}

/**
 * A real Collector with the shipped configuration. Its ports and its queue's folder stay the same over kill()
 * and start(), as they would on a machine that comes back.
 */
export interface RunningCollector extends AsyncDisposable {
  /** For OTLP/HTTP, as in `http://127.0.0.1:40123`. */
  readonly url: string
  /** For OTLP/gRPC, as in `127.0.0.1:40124`. */
  readonly grpcAddress: string
  /** Its own metrics, in Prometheus' text. */
  metrics(): Promise<string>
  /** What it has logged so far, over all its lives. */
  log(): string
  /** Resolves when it is ready. */
  start(): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves when it has ended by itself. */
  stop(): Promise<void>
}

export async function startCollector(options: CollectorOptions = {}): Promise<RunningCollector> {
  const [binary, queueDirectory, httpPort, grpcPort, healthPort, metricsPort] = await Promise.all([
    collectorPath(),
    mkdtemp(join(tmpdir(), 'agentic-hooks-queue-')),
    ...[freePort(), freePort(), freePort(), freePort()],
  ])
  const environment = {
    OTLP_HTTP_ENDPOINT: `127.0.0.1:${httpPort}`,
    OTLP_GRPC_ENDPOINT: `127.0.0.1:${grpcPort}`,
    HEALTH_ENDPOINT: `127.0.0.1:${healthPort}`,
    METRICS_PORT: String(metricsPort),
    QUEUE_DIRECTORY: queueDirectory,
    ...(options.receiverUrl && { RECEIVER_ENDPOINT: options.receiverUrl }),
    ...options.env,
  }
  const configs = [SHIPPED_CONFIG, ...(options.overlays ?? [])].map((config) => `--config=${config}`)
  let child: ChildProcess | undefined
  let log = ''

  const start = async () => {
    child = spawn(binary, configs, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    await waitUntilReady(child, `http://127.0.0.1:${healthPort}`, () => log)
  }
  const end = async (signal: NodeJS.Signals) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'close')
    child.kill(signal)
    await exited
  }
  const collector: RunningCollector = {
    url: `http://127.0.0.1:${httpPort}`,
    grpcAddress: `127.0.0.1:${grpcPort}`,
    metrics: async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text(),
    log: () => log,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      await rm(queueDirectory, { recursive: true, force: true })
    },
  }
  await start()
  return collector
}

/** As in `otelcol 0.162.0`. */
export async function collectorVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)(await collectorPath(), ['--version'])
  return stdout.trim().replace(' version ', ' ')
}

async function waitUntilReady(child: ChildProcess, healthUrl: string, log: () => string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MILLIS
  while (performance.now() < deadline && child.exitCode === null) {
    const answer = await fetch(healthUrl).catch(() => null)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS))
  }
  throw new Error(`the Collector did not become ready:\n${log()}`)
}
