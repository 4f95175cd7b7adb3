import { Router } from 'express'
import type { Metrics } from '../metrics.ts'
import { readOnly } from './read-only.ts'

/** GET /metrics in Prometheus' text format; the original service had it at the second path. */
export function metricsRoutes(metrics: Metrics): Router {
  const router = Router()
  router
    .route(['/metrics', '/metrics/prometheus'])
    .get(async (_request, response) => {
      const text = await metrics.render()
      response.set('content-type', metrics.contentType).send(text)
    })
    .all(readOnly)
  return router
}
