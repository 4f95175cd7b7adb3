import type { IncomingMessage } from 'node:http'
import type { FieldError } from '@agentic-hooks/events'
import type { RejectedRecord, RequestResult } from '../decode/decoded-request.ts'
import { MAX_ERRORS } from '../decode/rest.ts'
import { type Failure, UnsupportedMediaError } from '../errors.ts'
import { mediaType } from '../http/media-type.ts'

/** An error as FastAPI writes it, which the original service's clients know. */
interface ErrorDetail {
  readonly type: 'missing' | 'value_error'
  readonly loc: readonly (string | number)[]
  readonly msg: string
}

/** How everything that is not OTLP answers. */
export const restAnswers = { contentType: 'application/json', encodeResult, encodeFailure }

/** Of another type, any web page could post here: browsers ask first (CORS) for this one. */
export function acceptJson(request: IncomingMessage): void {
  if (mediaType(request) === 'application/json') return
  throw new UnsupportedMediaError('send the header Content-Type: application/json')
}

/** Of the first {@link MAX_ERRORS} rejected events. */
export function describeRejections(rejected: readonly RejectedRecord[]): ErrorDetail[] {
  return rejected
    .slice(0, MAX_ERRORS)
    .flatMap(({ eventId, reason, fields }): ErrorDetail[] =>
      fields ? fields.map(describeField) : [{ type: 'value_error', loc: ['body', eventId], msg: reason }],
    )
}

function describeField({ path, message }: FieldError): ErrorDetail {
  return {
    type: message === 'is required' ? 'missing' : 'value_error',
    loc: ['body', ...locOf(path)],
    msg: message,
  }
}

/** 202 also where some events were rejected, by name; 422 where all of them were. */
function encodeResult({ stored, duplicates, rejected }: RequestResult): { status: number; body: string } {
  const accepted = stored + duplicates
  if (rejected.length === 0) {
    return { status: 202, body: JSON.stringify({ accepted, message: 'Events accepted' }) }
  }
  const detail = describeRejections(rejected)
  if (accepted === 0) return { status: 422, body: JSON.stringify({ detail }) }
  const message = `${rejected.length} events rejected`
  return { status: 202, body: JSON.stringify({ accepted, message, detail }) }
}

function encodeFailure({ message, fields }: Failure): string {
  if (!fields) return JSON.stringify({ detail: message })
  return JSON.stringify({ detail: fields.map(describeField) })
}

/** `3.session_id` as 3 and `session_id`. */
function locOf(path: string): (string | number)[] {
  const parts = path === '' ? [] : path.split('.')
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}
