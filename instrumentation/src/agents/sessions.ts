import { getEnvironmentData, isMainThread, setEnvironmentData, threadId } from 'node:worker_threads'
import { EventType, type HookEvent } from '@agentic-hooks/events'
import { watchExit } from '../client/exit.ts'
import { environmentSessionId } from '../options/environment.ts'
import { activeScope, type Scope, scopeStorage } from '../scope.ts'
import { joined } from './data.ts'

type Emit = (event: HookEvent) => void

/** Something that a session has started. */
interface OpenOperation {
  /** Completes it as failed, because its session ends first. */
  abandon(): void
}

interface OpenSession {
  readonly emit: Emit
  readonly workflowId: Scope['workflowId']
  readonly startedAtMillis: number
  /** Started and not yet completed, oldest first. */
  readonly operations: Set<OpenOperation>
  /** The application tells its start and end itself. */
  readonly isRecorded: boolean
}

/** More sessions than this are not kept open: the one idle longest is completed to make room. */
const MAX_OPEN_SESSIONS = 10_000
/** More operations than this are not kept open in one session: the oldest is completed as abandoned. */
const MAX_OPEN_OPERATIONS = 10_000

const PARENT_SESSION = 'agentic-hooks.parent-session-id'

/**
 * The sessions of this thread.
 *
 * A session is unknown until its first event, which opens it and is preceded by `session_started`. It is open
 * until its library closes it, the process ends or it gives way to a newer one; then everything that was
 * started in it and never completed is completed as failed, followed by `session_completed`. An event after
 * that opens it again.
 */
class Sessions {
  /** The session of the thread that started this one. */
  readonly #parentSessionId = isMainThread ? undefined : getEnvironmentData(PARENT_SESSION)
  /** The one idle longest first. */
  readonly #open = new Map<string, OpenSession>()
  #watchesExit = false

  #processSessionId: string | undefined

  /** The session of everything that no library, resolver or scope puts elsewhere. */
  get processSessionId(): string {
    this.#processSessionId ??= environmentSessionId() ?? crypto.randomUUID()
    return this.#processSessionId
  }

  /** Opens the session unless it is open, as part of the workflow around. `data` describes its start. */
  touch(sessionId: string, emit: Emit, data: Record<string, unknown>): OpenSession {
    const open = this.#open.get(sessionId)
    if (open) {
      this.#open.delete(sessionId)
      this.#open.set(sessionId, open)
      return open
    }
    if (this.#open.size >= MAX_OPEN_SESSIONS) this.complete(this.#open.keys().next().value!, 'idle')
    const isRecorded = recordedSessions.has(sessionId)
    const { workflowId, phaseId, milestoneId } = activeScope() ?? {}
    const startedAtMillis = Date.now()
    const session: OpenSession = { emit, workflowId, startedAtMillis, operations: new Set(), isRecorded }
    this.#open.set(sessionId, session)
    this.#watchExit()
    if (isRecorded) return session
    scopeStorage.run({ sessionId, workflowId, phaseId, milestoneId }, emit, {
      eventType: EventType.SessionStarted,
      sessionId,
      data: joined(data, {
        process_id: process.pid,
        parent_process_id: process.ppid,
        thread_id: isMainThread ? undefined : threadId,
        parent_session_id: this.#parentSessionId,
      }),
    })
    return session
  }

  add(sessionId: string, operation: OpenOperation): void {
    const operations = this.#open.get(sessionId)?.operations
    if (!operations) return
    operations.add(operation)
    if (operations.size > MAX_OPEN_OPERATIONS) operations.values().next().value!.abandon()
  }

  remove(sessionId: string, operation: OpenOperation): void {
    this.#open.get(sessionId)?.operations.delete(operation)
  }

  complete(sessionId: string, reason: string, data: Record<string, unknown> = {}): void {
    const session = this.#open.get(sessionId)
    if (!session) return
    for (const operation of [...session.operations].reverse()) operation.abandon()
    this.#open.delete(sessionId)
    if (session.isRecorded) return
    const duration_ms = Date.now() - session.startedAtMillis
    scopeStorage.run({ sessionId, workflowId: session.workflowId }, session.emit, {
      eventType: EventType.SessionCompleted,
      sessionId,
      data: joined({ reason, duration_ms }, data),
    })
  }

  completeAll(reason: string, data?: Record<string, unknown>): void {
    for (const sessionId of [...this.#open.keys()]) this.complete(sessionId, reason, data)
  }

  /** With the first session, hence ahead of the client that its first event makes. */
  #watchExit(): void {
    if (this.#watchesExit) return
    this.#watchesExit = true
    setEnvironmentData(PARENT_SESSION, this.processSessionId)
    watchExit({
      beforeExit: async () => this.completeAll('exit', { exit_code: process.exitCode ?? 0 }),
      finish: async () => this.completeAll('signal'),
      secure: () => {},
      atExit: () => this.completeAll('exit', { exit_code: process.exitCode }),
    })
  }
}

// One per thread, also when several copies of this package are loaded, which may be of other versions: a copy calls
// only what every version has, and what takes other arguments takes a new key.
const SESSIONS = Symbol.for('agentic-hooks.sessions')
const RECORDED = Symbol.for('agentic-hooks.recorded-sessions')
const globals = globalThis as { [SESSIONS]?: Sessions; [RECORDED]?: Set<string> }

globals[RECORDED] ??= new Set()
/** The sessions whose start and end `Session.record` tells: nobody else does. */
export const recordedSessions: Set<string> = globals[RECORDED]

globals[SESSIONS] ??= new Sessions()
export const sessions: Sessions = globals[SESSIONS]
