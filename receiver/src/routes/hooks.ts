import { Router } from 'express'
import type { RequestResult } from '../decode/decoded-request.ts'
import { readHook } from '../hooks/hook-mapping.ts'
import { HOOK_MAPPINGS } from '../hooks/hooks.ts'
import type { Intake, Way } from '../ingest/intake.ts'
import { acceptJson, describeRejections, restAnswers } from './rest-answers.ts'

/**
 * POST /hooks/AGENT, as coding agents post their hooks. The agent waits for the answer and goes on whatever it
 * is, so it comes within `hookTimeoutMillis`. A body beside 200 would be taken for a decision: it stays empty.
 */
export function hookRoutes(intake: Intake, hookTimeoutMillis: number): Router {
  const router = Router()
  for (const mapping of HOOK_MAPPINGS) {
    const way: Way = {
      protocol: 'hook',
      clientsRetry: false,
      storeWithinMillis: hookTimeoutMillis,
      accept: acceptJson,
      decode: readHook(mapping),
      ...restAnswers,
      encodeResult,
    }
    router.all(`/hooks/${mapping.agent}`, (request, response) => intake.serve(request, response, way))
  }
  return router
}

function encodeResult({ rejected }: RequestResult): { status: number; body: string } {
  if (rejected.length === 0) return { status: 200, body: '' }
  return { status: 422, body: JSON.stringify({ detail: describeRejections(rejected) }) }
}
