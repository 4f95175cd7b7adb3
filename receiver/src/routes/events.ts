import type { IncomingMessage, ServerResponse } from 'node:http'
import { readRestBatch, readRestEvent, readStrictRestBatch } from '../decode/rest.ts'
import type { Intake, Way } from '../ingest/intake.ts'
import { acceptJson, restAnswers } from './rest-answers.ts'

/** POST /events: one event. */
export function restEvent(intake: Intake) {
  const way = wayOf(readRestEvent)
  return (request: IncomingMessage, response: ServerResponse) => intake.serve(request, response, way)
}

/** POST /events/batch: an array of them, of which the right ones are stored. With `?strict=true` all or none. */
export function restBatch(intake: Intake) {
  const lenient = wayOf(readRestBatch)
  const strict = wayOf(readStrictRestBatch)
  return (request: IncomingMessage, response: ServerResponse) =>
    intake.serve(request, response, isStrict(request) ? strict : lenient)
}

function wayOf(decode: Way['decode']): Way {
  return { protocol: 'rest', clientsRetry: false, accept: acceptJson, decode, ...restAnswers }
}

function isStrict({ url = '' }: IncomingMessage): boolean {
  const query = url.indexOf('?')
  return query >= 0 && new URLSearchParams(url.slice(query)).get('strict') === 'true'
}
