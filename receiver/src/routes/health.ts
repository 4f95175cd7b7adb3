import type { IncomingMessage } from 'node:http'
import { type RequestHandler, Router } from 'express'
import type { Health } from '../storage/health.ts'
import { VERSION } from '../version.ts'
import { readOnly } from './read-only.ts'

/**
 * GET /health as the original service answers it (always 200), and what orchestrators probe.
 * @param mayKnowWhy whether a client is told what is wrong, which names addresses of databases
 */
export function healthRoutes(
  health: Health,
  storage: string,
  mayKnowWhy: (request: IncomingMessage) => boolean,
): Router {
  const summary: RequestHandler = async (_request, response) => {
    const reason = await health.reasonUnhealthy()
    const status = reason !== null ? 'unhealthy' : health.degradation !== null ? 'degraded' : 'healthy'
    response.json({ status, storage, version: VERSION })
  }
  const live: RequestHandler = (_request, response) => {
    response.json({ status: 'alive' })
  }
  const ready: RequestHandler = async (request, response) => {
    const reason = await health.reasonNotReady()
    if (reason === null) response.json({ status: 'ready' })
    else if (mayKnowWhy(request)) response.status(503).json({ status: 'not ready', reason })
    else response.status(503).json({ status: 'not ready', reason: 'a token or ADMIN_PORT shows the reason' })
  }
  const router = Router()
  router.route('/health').get(summary).all(readOnly)
  router.route('/health/live').get(live).all(readOnly)
  router.route('/health/ready').get(ready).all(readOnly)
  return router
}
