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
