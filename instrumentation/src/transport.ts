import type { HookLogRecord } from './log-record.ts'

/** Records that travel together, from the first attempt to the last. */
export interface Batch {
  readonly records: readonly HookLogRecord[]
  /** How often it was sent. */
  attempts: number
  /** Serialized once, at the first attempt. */
  body?: Uint8Array
}

/** What became of one attempt. */
export type Outcome =
  /** Stored, all but `rejected` of them, which must not be sent again (OTLP: partial success). */
  | { readonly kind: 'accepted'; readonly rejected: number; readonly message: string }
  /** The whole batch can never succeed. */
  | { readonly kind: 'refused'; readonly message: string }
  /** Worth another attempt, not before the given time where the server named one. */
  | { readonly kind: 'unavailable'; readonly message: string; readonly retryAfterMillis?: number }

/** The way out of the process. */
export interface Transport {
  /** For log lines, as in `http://localhost:4318/v1/logs`. */
  readonly destination: string
  /** One attempt, which may take exportTimeoutMillis. Never rejects. */
  send(batch: Batch): Promise<Outcome>
  /** Ends what is under way; its outcome is `unavailable`. */
  abort(): void
  close(): Promise<void>
}
