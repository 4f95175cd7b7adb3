import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ExportResult } from '@agentic-hooks/events'
import { decodeRestBatch, decodeRestEvent } from '../decode/rest.ts'
import { type Failure, UnsupportedMediaError } from '../failures.ts'
import type { Intake, Way } from '../intake.ts'
import { mediaType } from '../media-type.ts'

/** POST /events: one event. */
export function restEvent(intake: Intake) {
  return route(intake, decodeRestEvent)
}

/** POST /events/batch: an array of them. */
export function restBatch(intake: Intake) {
  return route(intake, decodeRestBatch)
}

function route(intake: Intake, decode: Way['decode']) {
  const way: Way = { protocol: 'rest', clientsRetry: false, accept, decode, ...restAnswers }
  return (request: IncomingMessage, response: ServerResponse) => intake.serve(request, response, way)
}

/** Of another type, any web page could post here: browsers ask first (CORS) for this one. */
function accept(request: IncomingMessage): void {
  if (mediaType(request) === 'application/json') return
  throw new UnsupportedMediaError('send the header Content-Type: application/json')
}

export const restAnswers = { contentType: 'application/json', encodeResult, encodeFailure }

/** 202 also where some events were rejected, by name; 422 where all of them were. */
function encodeResult({ stored, duplicates, rejected }: ExportResult): { status: number; body: Buffer } {
  const accepted = stored + duplicates
  if (rejected.length === 0) return { status: 202, body: toJson({ accepted, message: 'Events accepted' }) }
  const detail = rejected.map(({ eventId, reason }) => ({
    type: 'value_error',
    loc: ['body', eventId],
    msg: reason,
  }))
  if (accepted === 0) return { status: 422, body: toJson({ detail }) }
  return { status: 202, body: toJson({ accepted, message: `${rejected.length} events rejected`, detail }) }
}

/** As FastAPI writes errors, which the original service's clients know. */
function encodeFailure({ message, fields }: Failure): Buffer {
  if (!fields) return toJson({ detail: message })
  const detail = fields.map(({ path, message }) => ({
    type: message === 'is required' ? 'missing' : 'value_error',
    loc: ['body', ...locOf(path)],
    msg: message,
  }))
  return toJson({ detail })
}

/** `3.session_id` as 3 and `session_id`. */
function locOf(path: string): (string | number)[] {
  const parts = path === '' ? [] : path.split('.')
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

function toJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
