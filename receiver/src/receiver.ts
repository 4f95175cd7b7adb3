import type { Exporter } from '@agentic-hooks/events'
import type { Logger } from 'pino'
import { Admission } from './admission.ts'
import { createAdminListener, createListener } from './app.ts'
import { Authenticator } from './auth.ts'
import type { Config } from './config.ts'
import { UnavailableError } from './failures.ts'
import { Health } from './health.ts'
import { Intake } from './intake.ts'
import { Metrics } from './metrics.ts'
import { Pipeline } from './pipeline.ts'
import { RateLimit } from './rate-limit.ts'
import { Server } from './server.ts'
import { withTimeout } from './timeout.ts'

/** Parts of the grace period: until requests are given up, until their connections are cut; the rest is the exporters'. */
const ANSWER_SHARE = 0.6
const CUT_SHARE = 0.7

export interface Receiver {
  /** Where it listens; the first is that of the first port. */
  readonly urls: readonly string[]
  /** Of ADMIN_PORT, where that is set. */
  readonly adminUrl: string | null
  /**
   * Takes no new connections, answers what is in flight, shuts the exporters down. Safe to call twice.
   * Requests that storage does not let end within the grace period get 503.
   * @throws Error when the exporters do not end within it
   */
  close(): Promise<void>
}

/**
 * Starts the exporters, then listens. The receiver owns the exporters from here on, also when starting fails.
 * @throws ConfigError when a file named in the configuration cannot be used
 */
export async function startReceiver(
  config: Config,
  exporters: readonly Exporter[],
  log: Logger,
): Promise<Receiver> {
  const admission = new Admission(config.maxBytesInFlight)
  const metrics = new Metrics(
    admission,
    exporters.map(({ name }) => name),
  )
  const health = new Health(exporters)
  const pipeline = new Pipeline({ ...config, exporters, admission, metrics, log })
  const authenticator = new Authenticator(config.authTokens ?? [], config.authTokensFile, log)
  const rateLimit =
    config.maxClientEventsPerSecond === undefined ? null : new RateLimit(config.maxClientEventsPerSecond)
  const intake = new Intake({ ...config, authenticator, rateLimit, admission, pipeline, metrics, log })
  const parts = {
    ...{ intake, authenticator, health, metrics, log },
    storage: exporters.map(({ name }) => name).join(','),
    corsOrigins: config.corsOrigins ?? [],
    tls: config.tlsCertFile !== undefined,
    separateAdmin: config.adminPort !== undefined,
  }
  const listener = createListener(parts)
  const servers = config.port.map(() => new Server(listener, config))
  const admin = config.adminPort === undefined ? null : new Server(createAdminListener(parts), config)

  const closeAll = async () => {
    const endsAt = performance.now() + config.shutdownGraceMillis
    const remaining = (share: number) => endsAt - config.shutdownGraceMillis * (1 - share) - performance.now()
    health.close()
    pipeline.stopRetrying()
    const stopped = Promise.all(servers.map((server) => server.stop()))
    await withTimeout(stopped, remaining(ANSWER_SHARE), '')
      .catch(() => {
        log.warn({ requests: admission.requestsInFlight }, 'giving up on what is still in flight')
        admission.abortAll(new UnavailableError('the receiver is shutting down', 1))
        return withTimeout(stopped, remaining(CUT_SHARE), '')
      })
      .catch(() => {
        for (const server of servers) server.closeAllConnections()
      })
    await withTimeout(
      Promise.all(exporters.map((exporter) => exporter.shutdown())),
      remaining(1),
      `exporters did not shut down within SHUTDOWN_GRACE_MILLIS (${config.shutdownGraceMillis})`,
    )
    authenticator.close()
    admin?.closeAllConnections()
    await admin?.stop()
  }

  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= closeAll()
    return closed
  }
  try {
    await Promise.all(exporters.map((exporter) => exporter.start()))
    const urls = await Promise.all(
      servers.map((server, index) => server.listen(config.port[index]!, config.host)),
    )
    const adminUrl = (await admin?.listen(config.adminPort!, config.adminHost)) ?? null
    return { urls, adminUrl, close }
  } catch (error) {
    await close().catch((closeError) => log.error({ err: closeError }, 'could not clean up'))
    throw error
  }
}
