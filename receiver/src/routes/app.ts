import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import cors from 'cors'
import express, { type Express, type RequestHandler } from 'express'
import helmet from 'helmet'
import type { Logger } from 'pino'
import type { Config } from '../config/options.ts'
import { NotFoundError, toFailure } from '../errors.ts'
import { answer } from '../http/answer.ts'
import type { Authenticator } from '../http/auth.ts'
import { type Handler, withLastCatch } from '../http/last-catch.ts'
import { mediaType } from '../http/media-type.ts'
import { Hosts, isLoopback } from '../http/request-target.ts'
import type { Intake } from '../ingest/intake.ts'
import type { Metrics } from '../metrics.ts'
import type { Health } from '../storage/health.ts'
import { restBatch, restEvent } from './events.ts'
import { healthRoutes } from './health.ts'
import { hookRoutes } from './hooks.ts'
import { metricsRoutes } from './metrics.ts'
import { jsonAnswers, protobufAnswers } from './otlp-answers.ts'
import { otlpLogs } from './otlp-logs.ts'
import { restAnswers } from './rest-answers.ts'

/** How long a browser remembers that it may post; they cap it at some hours. */
const CORS_MAX_AGE_SECONDS = 7_200

const WHERE_EVENTS_GO = 'events go to /v1/logs, /events or /hooks'

export interface AppParts
  extends Pick<
    Config,
    | 'adminHost'
    | 'adminPort'
    | 'corsOrigins'
    | 'hookTimeoutMillis'
    | 'host'
    | 'publicHosts'
    | 'tlsCertFile'
    | 'tlsClientCaFile'
  > {
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
  const isOpen = isLoopback(parts.host) || parts.tlsClientCaFile !== undefined
  const mayKnowWhy: Parameters<typeof healthRoutes>[2] = (request) =>
    authenticator.required ? authenticator.admits(request) : isOpen
  if (!hasAdminPort) app.use(healthRoutes(health, storage, mayKnowWhy))
  app.use(requireToken(authenticator))
  if (!hasAdminPort) app.use(metricsRoutes(metrics))
  const others = handlerOf(app)
  // The one hot route goes around express (docs/decisions/0020).
  const handler: Handler = (request, response) =>
    request.url === '/v1/logs' ? logs(request, response) : others(request, response)
  const isGuarded = authenticator.required || parts.tlsClientCaFile !== undefined
  const hosts = new Hosts(parts.host, parts.publicHosts, isGuarded)
  const checked = withHosts(hosts, authenticator, withCors(parts.corsOrigins, handler))
  return withLastCatch(checked, answerFailure(log), log)
}

/** Everything on ADMIN_PORT. */
export function createAdminListener(parts: AppParts): RequestListener {
  const { health, metrics, storage, log } = parts
  const app = createApp()
  app.use(pageHeaders(parts))
  app.use(healthRoutes(health, storage, () => true))
  app.use(metricsRoutes(metrics))
  const hosts = new Hosts(parts.adminHost, parts.publicHosts, parts.tlsClientCaFile !== undefined)
  return withLastCatch(withHosts(hosts, null, handlerOf(app)), answerFailure(log), log)
}

function createApp(): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  return app
}

/** Rejects with what a route throws, and where there is no route. */
function handlerOf(app: Express): Handler {
  return (request, response) =>
    new Promise((_resolve, reject) => {
      app(request as express.Request, response as express.Response, (error: unknown) =>
        reject(error ?? new NotFoundError(`there is no ${pathOf(request)} here; ${WHERE_EVENTS_GO}`)),
      )
    })
}

/** Those that may not send anything are not told what is wrong with it. */
function withHosts(hosts: Hosts, authenticator: Authenticator | null, handler: Handler): Handler {
  return (request, response) => {
    try {
      hosts.check(request)
    } catch (error) {
      authenticator?.check(request)
      throw error
    }
    return handler(request, response)
  }
}

/** Pages may post; what others than them may read stays hidden from them. */
function withCors(origins: readonly string[] | undefined, handler: Handler): Handler {
  if (!origins?.length) return handler
  const middleware = cors({ origin: [...origins], methods: ['POST'], maxAge: CORS_MAX_AGE_SECONDS })
  return (request, response) => {
    if (request.method === 'GET' || request.method === 'HEAD') return handler(request, response)
    return new Promise((resolve, reject) => {
      middleware(request, response, (error) => {
        if (error) reject(error)
        else resolve(handler(request, response))
      })
    })
  }
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

function answerFailure(log: Logger) {
  return (request: IncomingMessage, response: ServerResponse, error: unknown): void => {
    const path = pathOf(request)
    const failure = toFailure(error)
    if (failure.status === 500) log.error({ err: error, path }, 'request failed')
    const answers = answersFor(path, mediaType(request))
    const { contentType } = answers
    answer(request, response, failure.status, contentType, answers.encodeFailure(failure), failure.headers)
  }
}

/** Without the query, which may hold what must not be logged. */
function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0]!
}

/** Other signals' paths (/v1/traces, /v1/metrics) are answered as OTLP wants it. */
function answersFor(path: string, mediaType: string) {
  if (!path.startsWith('/v1/')) return restAnswers
  return mediaType === protobufAnswers.contentType ? protobufAnswers : jsonAnswers
}
