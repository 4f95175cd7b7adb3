import type { Exporter } from '@agentic-hooks/events'
import type { Logger } from 'pino'
import { UnavailableError } from './errors.ts'
import type { Server } from './http/server.ts'
import type { Admission } from './ingest/admission.ts'
import type { Pipeline } from './ingest/pipeline.ts'
import { settlesWithin, withTimeout } from './ingest/timeout.ts'
import type { Health } from './storage/health.ts'

/** The parts of the grace period in which requests are answered, and by which their connections are cut. */
const ANSWERED_BY = 0.6
const CUT_BY = 0.7

export interface ShutdownParts {
  readonly servers: readonly Server[]
  /** Shows until the end what is going on. */
  readonly adminServer: Server | null
  readonly health: Health
  readonly admission: Admission
  readonly pipeline: Pipeline
  readonly exporters: readonly Exporter[]
  readonly log: Logger
  readonly shutdownGraceMillis: number
}

/**
 * Ends a receiver: no longer ready and no new connections at once; then whatever is in flight is answered, with
 * 503 where it takes too long; then the exporters make durable what they accepted.
 * @throws Error when they do not within the grace period
 */
export async function shutDown(parts: ShutdownParts): Promise<void> {
  const { servers, adminServer, health, admission, pipeline, exporters, log, shutdownGraceMillis } = parts
  const startedAt = performance.now()
  const millisUntil = (share: number) => startedAt + share * shutdownGraceMillis - performance.now()
  health.close()
  pipeline.stopRetrying()
  const stopped = Promise.all(servers.map((server) => server.stop()))
  if (!(await settlesWithin(stopped, millisUntil(ANSWERED_BY)))) {
    log.warn({ requests: admission.requestsInFlight }, 'giving up on what is still in flight')
    admission.abortAll(new UnavailableError('the receiver is shutting down', 1))
    if (!(await settlesWithin(stopped, millisUntil(CUT_BY)))) {
      for (const server of servers) server.closeAllConnections()
    }
  }
  const ended = Promise.all(exporters.map((exporter) => exporter.shutdown()))
  await withTimeout(ended, millisUntil(1), () => {
    const option = `SHUTDOWN_GRACE_MILLIS (${shutdownGraceMillis})`
    return new Error(`exporters did not shut down within ${option}; what was answered is stored`)
  })
  adminServer?.closeAllConnections()
  await adminServer?.stop()
}
