import type { IncomingMessage, ServerResponse } from 'node:http'
import { decodeAtOnce } from '../decode/at-once.ts'
import type { Decode } from '../decode/decoded-request.ts'
import { decodeRestBatch, decodeRestEvent } from '../decode/rest.ts'
import type { Intake, Way } from '../ingest/intake.ts'
import { acceptJson, restAnswers } from './rest-answers.ts'

/** POST /events: one event. */
export function restEvent(intake: Intake) {
  return route(intake, decodeAtOnce(decodeRestEvent))
}

/** POST /events/batch: an array of them. */
export function restBatch(intake: Intake) {
  return route(intake, decodeAtOnce(decodeRestBatch))
}

function route(intake: Intake, decode: Decode) {
  const way: Way = { protocol: 'rest', clientsRetry: false, accept: acceptJson, decode, ...restAnswers }
  return (request: IncomingMessage, response: ServerResponse) => intake.serve(request, response, way)
}
