/** What is known of a call when its session is to be named. */
export interface SessionContext {
  /** The library, as in `langchain`. */
  readonly framework: string
  /** The conversation that the library itself names: a thread, a group, a runtime context. */
  readonly conversationId?: string
  /** What the library was given beside it. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** Names the session of a call; undefined leaves it to the library's own conversation id. */
export type SessionIdResolver = (context: SessionContext) => string | undefined

/** Where the client says what a person should know: losses, first failures, recoveries. */
export interface ClientLogger {
  warn(message: string): void
  info(message: string): void
}

/** Why an event will never be stored. */
export type DropReason =
  /** The queue was full, and no spool could take it. */
  | 'queue_full'
  /** Every attempt failed, or time ran out, and there is no spool. */
  | 'undeliverable'
  /** The server refused it, or without a spool the batch that it was in. With a spool it is kept there, set aside. */
  | 'refused'
  /** The server stored the rest of the batch (partial success). */
  | 'rejected'
  /** The spool's limit is reached, or it cannot be written. */
  | 'spool_full'
  | 'spool_failed'
  /** The thing emitted is not an event, or a line of the spool is damaged. */
  | 'invalid'
  /** Emitted after `close`. */
  | 'closed'

export interface Drop {
  readonly reason: DropReason
  /** How many events. */
  readonly count: number
  /** The latest of the details, for a person. */
  readonly message: string
}
