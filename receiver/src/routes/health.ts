import { type RequestHandler, Router } from 'express'
import type { Health } from '../storage/health.ts'
import { VERSION } from '../version.ts'
import { readOnly } from './read-only.ts'

/** GET /health as the original service answers it (always 200), and what orchestrators probe. */
export function healthRoutes(health: Health, storage: string): Router {
  const summary: RequestHandler = async (_request, response) => {
    const reason = await health.reasonUnhealthy()
    response.json({ status: reason === null ? 'healthy' : 'unhealthy', storage, version: VERSION })
  }
  const live: RequestHandler = (_request, response) => {
    response.json({ status: 'alive' })
  }
  const ready: RequestHandler = async (_request, response) => {
    const reason = await health.reasonNotReady()
    if (reason === null) response.json({ status: 'ready' })
    else response.status(503).json({ status: 'not ready', reason })
  }
  const router = Router()
  router.route('/health').get(summary).all(readOnly)
  router.route('/health/live').get(live).all(readOnly)
  router.route('/health/ready').get(ready).all(readOnly)
  return router
}
