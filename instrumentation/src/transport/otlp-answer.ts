import type { IncomingMessage } from 'node:http'
import { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import { failureOf, type Outcome } from './transport.ts'

/** An answer is a few bytes, or an error page; no more of it is read. */
const MAX_ANSWER_BYTES = 64 * 1024
const MAX_SHOWN_LENGTH = 200

export interface Answer {
  readonly status: number
  /** Without parameters, in lower case; empty when not given. */
  readonly contentType: string
  readonly retryAfter: string | undefined
  readonly body: Buffer
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) break
  }
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '',
    retryAfter: response.headers['retry-after'],
    body: Buffer.concat(chunks),
  }
}

/** What an answer means (specification, OTLP/HTTP response). */
export function outcomeOf(answer: Answer, records: number): Outcome {
  const { status } = answer
  if (status >= 200 && status < 300) return accepted(answer, records)
  const message = `status ${status}${quote(answer)}`
  const kind = failureOf(status)
  if (kind !== 'unavailable') return { kind, message }
  return { kind, message, retryAfterMillis: parseRetryAfter(answer.retryAfter) }
}

/**
 * A success that is no OTLP answer comes from something else, such as a proxy's login page: had it counted as
 * delivered, everything would vanish there without a word.
 */
function accepted(answer: Answer, records: number): Outcome {
  try {
    const { partialSuccess } = parseAnswer(answer)
    const rejected = Math.min(Math.max(Number(partialSuccess?.rejectedLogRecords) || 0, 0), records)
    return {
      kind: 'accepted',
      rejected,
      message: partialSuccess?.errorMessage || 'the server gave no reason',
    }
  } catch {
    const what = answer.contentType || 'no content type'
    return {
      kind: 'unavailable',
      message: `status ${answer.status} is no OTLP answer (${what})${quote(answer)}`,
    }
  }
}

interface ExportLogsResponse {
  readonly partialSuccess?: { readonly rejectedLogRecords?: number | string; readonly errorMessage?: string }
}

function parseAnswer({ contentType, body }: Answer): ExportLogsResponse {
  if (body.length === 0) return {}
  if (contentType === 'application/json') return JSON.parse(body.toString()) ?? {}
  if (contentType === 'application/x-protobuf') return ProtobufLogsSerializer.deserializeResponse(body)
  throw new Error('no OTLP answer')
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
function parseRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const millis = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(millis) ? undefined : Math.max(0, millis)
}

/** What can be read of an answer's body, in whatever encoding. */
function quote({ body }: Answer): string {
  const text = body
    .toString('latin1')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
  return text && `: ${text.slice(0, MAX_SHOWN_LENGTH)}`
}
