import type { Exporter } from '@agentic-hooks/events'
import type { Logger } from 'pino'
import type { Config } from './config/options.ts'
import { Authenticator } from './http/auth.ts'
import { RateLimit } from './http/rate-limit.ts'
import { Server } from './http/server.ts'
import { Admission } from './ingest/admission.ts'
import { Intake } from './ingest/intake.ts'
import { Pipeline } from './ingest/pipeline.ts'
import { settlesWithin, unlessAborted } from './ingest/timeout.ts'
import { Metrics } from './metrics.ts'
import { createAdminListener, createListener } from './routes/app.ts'
import { shutDown } from './shutdown.ts'
import { Health } from './storage/health.ts'

/** Exporters that are told to stop while they start have accepted nothing, so little is worth waiting for. */
const STOP_AT_START_MILLIS = 1_000

export interface Receiver {
  /** Where it listens; the first is that of the first port. */
  readonly urls: readonly string[]
  /** Of ADMIN_PORT, where that is set. */
  readonly adminUrl: string | null
  /**
   * Takes no new connections, answers what is in flight, shuts the exporters down. Safe to call twice.
   * @throws Error when the exporters do not end within `shutdownGraceMillis`
   */
  close(): Promise<void>
}

/**
 * Starts the exporters, then listens. The receiver shuts the exporters down, also when it cannot start.
 * @param stopSignal ends a start that is under way within a second; later it is the caller who calls `close`
 * @throws ConfigError when a file named in the configuration cannot be used
 * @throws the reason of `stopSignal`
 */
export async function startReceiver(
  config: Config,
  exporters: readonly Exporter[],
  log: Logger,
  stopSignal: AbortSignal = new AbortController().signal,
): Promise<Receiver> {
  const names = exporters.map(({ name }) => name)
  const admission = new Admission(config.maxBytesInFlight)
  const metrics = new Metrics(admission, exporters)
  const health = new Health(exporters)
  const pipeline = new Pipeline({ ...config, exporters, admission, metrics, log })
  const authenticator = new Authenticator(config.authTokens ?? [], config.authTokensFile, log)
  const rateLimit = RateLimit.of(config.maxClientEventsPerSecond)
  const intake = new Intake({ ...config, authenticator, rateLimit, admission, pipeline, metrics, log })
  const app = { ...config, intake, authenticator, health, metrics, log, storage: names.join(',') }
  const listener = createListener(app)
  const servers = config.port.map(() => new Server(listener, config, log))
  const adminServer =
    config.adminPort === undefined ? null : new Server(createAdminListener(app), config, log)

  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= shutDown({ ...config, servers, adminServer, health, admission, pipeline, exporters, log })
    return closed.finally(() => authenticator.close())
  }
  try {
    await unlessAborted(Promise.all(exporters.map((exporter) => exporter.start())), stopSignal)
    const listening = servers.map((server, index) => server.listen(config.port[index]!, config.host))
    const urls = await Promise.all(listening)
    const adminUrl = (await adminServer?.listen(config.adminPort!, config.adminHost)) ?? null
    return { urls, adminUrl, close }
  } catch (error) {
    const closing = close().catch((closeError) => log.error({ err: closeError }, 'could not clean up'))
    await (stopSignal.aborted ? settlesWithin(closing, STOP_AT_START_MILLIS) : closing)
    throw error
  }
}
