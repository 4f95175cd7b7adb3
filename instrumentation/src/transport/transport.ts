import type { SpooledRecords } from '../delivery/spool.ts'
import type { HookLogRecord } from '../record/log-record.ts'

/** Records that travel together, from the first attempt to the last. */
export interface Batch {
  readonly records: readonly HookLogRecord[]
  /** Where they were read, when they come from the spool; then they are not pending. */
  readonly spooled?: SpooledRecords
  /** How often it was sent. */
  attempts: number
  /** When the batch that this is a part of was refused. */
  readonly refusedAt?: number
  /** Serialized once, at the first attempt. */
  body?: Uint8Array
}

/** What became of one attempt. */
export type Outcome =
  /** Stored, all but `rejected` of them, which must not be sent again (OTLP: partial success). */
  | { readonly kind: 'accepted'; readonly rejected: number; readonly message: string }
  /** The server, or its serialization (`isCertain`), will not have this batch; a part of it may succeed. */
  | { readonly kind: 'refused'; readonly message: string; readonly isCertain?: boolean }
  /** The connection is at fault and not the batch: a wrong token or path, a proxy's answer. Not to be repeated soon. */
  | { readonly kind: 'denied'; readonly message: string }
  /** Worth another attempt, not before the given time where the server named one. */
  | { readonly kind: 'unavailable'; readonly message: string; readonly retryAfterMillis?: number }

/** The way out of the process. */
export interface Transport {
  /** For log lines, as in `http://localhost:4318/v1/logs`. */
  readonly destination: string
  /** One attempt, which may take exportTimeoutMillis. Never rejects. */
  send(batch: Batch): Promise<Outcome>
  /** Ends what is under way, where it can. */
  abort(): void
  close(): Promise<void>
}

/** The statuses that OTLP allows a client to send a request again for (specification, OTLP/HTTP response). */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([
  429, // Too Many Requests
  502, // Bad Gateway
  503, // Service Unavailable
  504, // Gateway Timeout
])

/** What the statuses say that find fault with the request's content. */
const REFUSING_STATUSES: ReadonlySet<number> = new Set([
  400, // Bad Request
  413, // Content Too Large
])

export function failureOf(status: number): 'unavailable' | 'refused' | 'denied' {
  if (RETRYABLE_STATUSES.has(status)) return 'unavailable'
  return REFUSING_STATUSES.has(status) ? 'refused' : 'denied'
}
