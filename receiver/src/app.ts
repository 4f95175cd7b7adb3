import type { RequestListener } from 'node:http'
import cors from 'cors'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import helmet from 'helmet'
import type { Logger } from 'pino'
import { answer } from './answer.ts'
import type { Authenticator } from './auth.ts'
import type { Config } from './config.ts'
import { NotFoundError, toFailure } from './failures.ts'
import type { Health } from './health.ts'
import type { Intake } from './intake.ts'
import { mediaType } from './media-type.ts'
import type { Metrics } from './metrics.ts'
import { jsonAnswers, protobufAnswers } from './otlp-response.ts'
import { restBatch, restEvent } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { hookRoutes } from './routes/hooks.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { otlpLogs } from './routes/otlp-logs.ts'
import { restAnswers } from './routes/rest-answers.ts'

/** How long a browser remembers that it may post; they cap it at some hours. */
const CORS_MAX_AGE_SECONDS = 7_200

export interface AppParts
  extends Pick<Config, 'adminPort' | 'corsOrigins' | 'hookTimeoutMillis' | 'tlsCertFile'> {
  readonly intake: Intake
  readonly authenticator: Authenticator
  readonly health: Health
  readonly metrics: Metrics
  readonly log: Logger
  /** Names the exporters, as in `postgres,jsonl`. */
  readonly storage: string
}

/** Everything on PORT. */
export function createListener(parts: AppParts): RequestListener {
  const { intake, authenticator, health, metrics, storage, log } = parts
  const hasAdminPort = parts.adminPort !== undefined
  const logs = otlpLogs(intake)
  const app = createApp()
  app.all('/v1/logs', logs)
  app.all('/events', restEvent(intake))
  app.all('/events/batch', restBatch(intake))
  app.use(hookRoutes(intake, parts.hookTimeoutMillis))
  app.use(pageHeaders(parts))
  if (!hasAdminPort) app.use(healthRoutes(health, storage))
  app.use(requireToken(authenticator))
  if (!hasAdminPort) app.use(metricsRoutes(metrics))
  finish(app, log)
  return withCors(parts.corsOrigins, (request, response) => {
    // The one hot route goes around express (docs/decisions/0020).
    if (request.url === '/v1/logs') logs(request, response)
    else app(request, response)
  })
}

/** Everything on ADMIN_PORT. */
export function createAdminListener(parts: AppParts): RequestListener {
  const { health, metrics, storage, log } = parts
  const app = createApp()
  app.use(pageHeaders(parts))
  app.use(healthRoutes(health, storage))
  app.use(metricsRoutes(metrics))
  finish(app, log)
  return app
}

function createApp(): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  return app
}

function withCors(origins: readonly string[] | undefined, listener: RequestListener): RequestListener {
  if (!origins?.length) return listener
  const middleware = cors({ origin: [...origins], methods: ['POST'], maxAge: CORS_MAX_AGE_SECONDS })
  return (request, response) => middleware(request, response, () => listener(request, response))
}

function pageHeaders({ tlsCertFile }: AppParts): RequestHandler {
  const tls = tlsCertFile !== undefined
  return helmet({
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: tls ? [] : null } },
    strictTransportSecurity: tls,
  })
}

function requireToken(authenticator: Authenticator): RequestHandler {
  return (request, _response, next) => {
    authenticator.check(request)
    next()
  }
}

/** What becomes of requests for which there is no route, and of errors of the routes before. */
function finish(app: Express, log: Logger): void {
  app.use((request) => {
    throw new NotFoundError(`there is no ${request.path} here; events go to /v1/logs, /events or /hooks`)
  })
  const tellClient: ErrorRequestHandler = (error, request, response, _next) => {
    const failure = toFailure(error)
    if (failure.status === 500) log.error({ err: error, path: request.path }, 'request failed')
    const answers = answersFor(request.path, mediaType(request))
    answer(
      request,
      response,
      failure.status,
      answers.contentType,
      answers.encodeFailure(failure),
      failure.headers,
    )
  }
  app.use(tellClient)
}

/** Other signals' paths (/v1/traces, /v1/metrics) are answered as OTLP wants it. */
function answersFor(path: string, mediaType: string) {
  if (!path.startsWith('/v1/')) return restAnswers
  return mediaType === protobufAnswers.contentType ? protobufAnswers : jsonAnswers
}
