import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../postgres.ts'
import { has } from '../tools.ts'
import { collectorPath } from './build.ts'
import { CONTAINER_VERSION, collectorContainer } from './container.ts'
import { type CollectorRunner, collectorProcess } from './process.ts'

/** The configuration that this project ships, to which a test adds what it needs. */
export const SHIPPED_CONFIG = join(import.meta.dirname, '../../..', 'otel-collector-config.yaml')

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
  /** Where its queue is. */
  readonly queueDirectory: string
  /** Its own metrics, in Prometheus' text. */
  metrics(): Promise<string>
  /** What it has logged so far, over all its lives. */
  log(): Promise<string>
  /** Resolves when it is ready. */
  start(): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves when it has ended by itself. */
  stop(): Promise<void>
}

export async function startCollector(options: CollectorOptions = {}): Promise<RunningCollector> {
  const [queueDirectory, httpPort, grpcPort, healthPort, metricsPort] = await Promise.all([
    mkdtemp(join(tmpdir(), 'agentic-hooks-queue-')),
    ...[freePort(), freePort(), freePort(), freePort()],
  ])
  const command = {
    args: [SHIPPED_CONFIG, ...(options.overlays ?? [])].map((config) => `--config=${config}`),
    env: {
      OTLP_HTTP_ENDPOINT: `127.0.0.1:${httpPort}`,
      OTLP_GRPC_ENDPOINT: `127.0.0.1:${grpcPort}`,
      HEALTH_ENDPOINT: `127.0.0.1:${healthPort}`,
      METRICS_PORT: String(metricsPort),
      QUEUE_DIRECTORY: queueDirectory,
      ...(options.receiverUrl && { RECEIVER_ENDPOINT: options.receiverUrl }),
      ...options.env,
    },
  }
  const runner = hasCollectorProgram()
    ? await collectorProcess(command)
    : await collectorContainer(command, [SHIPPED_CONFIG])
  const start = async () => {
    await runner.start()
    await waitUntilReady(`http://127.0.0.1:${healthPort}`, runner)
  }
  const collector: RunningCollector = {
    url: `http://127.0.0.1:${httpPort}`,
    queueDirectory,
    metrics: async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text(),
    log: () => runner.log(),
    start,
    kill: () => runner.end('SIGKILL'),
    stop: () => runner.end('SIGTERM'),
    async [Symbol.asyncDispose]() {
      await runner.dispose()
      await rm(queueDirectory, { recursive: true, force: true })
    },
  }
  try {
    await start()
    return collector
  } catch (error) {
    await collector[Symbol.asyncDispose]()
    throw error
  }
}

/** Whether there is a Collector to run as a process, or Go to build one; else it takes a Docker engine. */
export function hasCollectorProgram(): boolean {
  return Boolean(process.env.OTELCOL_BIN) || has('go')
}

/** As in `0.162.0`. */
export async function collectorVersion(): Promise<string> {
  if (!hasCollectorProgram()) return CONTAINER_VERSION
  const { stdout } = await promisify(execFile)(await collectorPath(), ['--version'])
  return stdout.trim().split(' ').at(-1)!
}

async function waitUntilReady(healthUrl: string, runner: CollectorRunner): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MILLIS
  while (performance.now() < deadline) {
    const answer = await fetch(healthUrl).catch(() => null)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS))
  }
  throw new Error(`the Collector did not become ready:\n${await runner.log()}`)
}
