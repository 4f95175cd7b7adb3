import { isUuid } from './codec/uuid.ts'
import type { StoredEvent } from './event.ts'
import type { Exporter } from './exporter.ts'

/**
 * An exporter that can also answer questions, one page at a time. A page holds each matching event or session at
 * most once, and pages that follow one another by their cursors neither repeat nor leave out one that was stored
 * when the first of them was read, however many are written meanwhile.
 */
export interface EventReader {
  /**
   * Matching events by time, then by event id.
   * @throws InvalidQueryError that names the condition, its value and what is allowed
   */
  readEvents(query: EventQuery, page?: PageRequest): Promise<EventPage>
  /**
   * One summary per session that has matching events, by the time of the first of them, then by the bytes of the
   * session id. A session whose first event arrives between two pages may move from one to the other.
   * @throws InvalidQueryError that names the condition, its value and what is allowed
   */
  readSessions(query: EventQuery, page?: PageRequest): Promise<SessionPage>
}

/** Every given condition must hold. */
export interface EventQuery {
  readonly sessionId?: string
  readonly eventTypes?: readonly string[]
  /** Inclusive. */
  readonly from?: Date
  /** Exclusive. */
  readonly to?: Date
}

export interface PageRequest {
  /** `next` or `previous` of an earlier answer to the same question. Default: the first page. */
  readonly cursor?: string
  /** Most events or sessions of the page, from 1 to {@link MAX_PAGE_LIMIT}. Default 100. */
  readonly limit?: number
  /** `descending` is newest first. Default: that of the cursor, without one `descending`. */
  readonly order?: PageOrder
}

export type PageOrder = 'descending' | 'ascending'

/** An opaque text of letters, digits, `-` and `_` that leads to the page on that side; null when there was none. */
interface PageCursors {
  readonly next: string | null
  readonly previous: string | null
}

export interface EventPage extends PageCursors {
  readonly events: readonly StoredEvent[]
}

export interface SessionPage extends PageCursors {
  readonly sessions: readonly SessionSummary[]
}

export interface SessionSummary {
  readonly sessionId: string
  readonly startedAt: Date
  readonly lastEventAt: Date
  readonly events: number
  /** Tools started. */
  readonly tools: number
  /** Tools completed with `data.success` false, and errors. */
  readonly failures: number
  /** Tools blocked. */
  readonly blocked: number
}

export const MAX_PAGE_LIMIT = 1_000
const DEFAULT_PAGE_LIMIT = 100
/** A session id of the longest, all of it escaped, takes less. */
const MAX_CURSOR_LENGTH = 8_192

/** A question that no reader can answer. */
export class InvalidQueryError extends Error {
  override readonly name = 'InvalidQueryError'
}

/** The place of an event or session in its order: `id` decides between those of one microsecond. */
export interface PageKey {
  readonly timestampMicros: number
  readonly id: string
}

/** A page as a store reads it. */
export interface ResolvedPage {
  readonly limit: number
  readonly order: PageOrder
  /** Whether the page is read from its last item to its first. */
  readonly isBackward: boolean
  /** Whether to read from later items to earlier ones, order and direction together. */
  readonly isDescending: boolean
  /** Where to begin to read. */
  readonly start: PageStart | null
}

export interface PageStart extends PageKey {
  /** Whether the item of this key belongs to the page. */
  readonly isInclusive: boolean
}

/**
 * The checked page that a store reads: up to `limit + 1` items from `start` on, for {@link toPage}.
 * @throws InvalidQueryError that names the condition, its value and what is allowed
 */
export function resolvePage(kind: 'events' | 'sessions', query: EventQuery, page: PageRequest): ResolvedPage {
  for (const name of ['from', 'to'] as const) {
    const time: unknown = query[name]
    if (time !== undefined && !(time instanceof Date && !Number.isNaN(time.getTime()))) {
      throw new InvalidQueryError(`${name} is ${show(time)}; it must be a valid Date`)
    }
  }
  const { limit = DEFAULT_PAGE_LIMIT, cursor } = page
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_LIMIT) {
    throw new InvalidQueryError(`limit is ${show(limit)}; it must be an integer from 1 to ${MAX_PAGE_LIMIT}`)
  }
  if (page.order !== undefined && page.order !== 'ascending' && page.order !== 'descending') {
    throw new InvalidQueryError(`order is ${show(page.order)}; it must be "descending" or "ascending"`)
  }
  if (cursor === undefined) {
    const { order = 'descending' } = page
    return { limit, order, isBackward: false, isDescending: order === 'descending', start: null }
  }
  const { order, isBackward, ...start } = decodeCursor(kind, cursor)
  if (page.order !== undefined && page.order !== order) {
    throw new InvalidQueryError(`order is "${page.order}"; the cursor is of a page in ${order} order`)
  }
  return { limit, order, isBackward, isDescending: (order === 'descending') !== isBackward, start }
}

/** The page of the items that a store found, in the order of reading, one more than `limit` where there are more. */
export function toPage<T>(
  kind: 'events' | 'sessions',
  found: readonly T[],
  page: ResolvedPage,
  keyOf: (item: T) => PageKey,
): { items: T[] } & PageCursors {
  const { limit, order, isBackward, start } = page
  const items = found.slice(0, limit)
  const [first, last] = [items.at(0), items.at(-1)]
  const cursor = (isBackward: boolean, isInclusive: boolean, { timestampMicros, id }: PageKey) =>
    encodeCursor(kind, { order, isBackward, isInclusive, timestampMicros, id })
  const onwards = found.length > limit && last ? cursor(isBackward, false, keyOf(last)) : null
  const back =
    start &&
    (first ? cursor(!isBackward, false, keyOf(first)) : cursor(!isBackward, !start.isInclusive, start))
  if (isBackward) items.reverse()
  return { items, next: isBackward ? back : onwards, previous: isBackward ? onwards : back }
}

/** All matching events, read page by page; those that arrive meanwhile may be among them. Oldest first by default. */
export async function* queryEvents(
  reader: EventReader,
  query: EventQuery,
  order: PageOrder = 'ascending',
): AsyncGenerator<StoredEvent> {
  let page: PageRequest = { limit: MAX_PAGE_LIMIT, order }
  for (;;) {
    const { events, next } = await reader.readEvents(query, page)
    yield* events
    if (next === null) return
    page = { ...page, cursor: next }
  }
}

/** A summary of every session that has matching events, read page by page; the latest started first. */
export async function* querySessions(reader: EventReader, query: EventQuery): AsyncGenerator<SessionSummary> {
  let page: PageRequest = { limit: MAX_PAGE_LIMIT }
  for (;;) {
    const { sessions, next } = await reader.readSessions(query, page)
    yield* sessions
    if (next === null) return
    page = { ...page, cursor: next }
  }
}

export function isEventReader(exporter: Exporter): exporter is Exporter & EventReader {
  return 'readEvents' in exporter && 'readSessions' in exporter
}

interface Cursor extends PageStart {
  readonly order: PageOrder
  readonly isBackward: boolean
}

function encodeCursor(kind: string, cursor: Cursor): string {
  const { order, isBackward, isInclusive, timestampMicros, id } = cursor
  const fields = [kind, order, isBackward, isInclusive, timestampMicros, id]
  return Buffer.from(JSON.stringify(fields)).toString('base64url')
}

function decodeCursor(kind: 'events' | 'sessions', text: unknown): Cursor {
  const fields = parseCursor(text)
  const [of, order, isBackward, isInclusive, timestampMicros, id] = fields
  if (
    of === kind &&
    (order === 'ascending' || order === 'descending') &&
    typeof isBackward === 'boolean' &&
    typeof isInclusive === 'boolean' &&
    typeof timestampMicros === 'number' &&
    Number.isSafeInteger(timestampMicros) &&
    typeof id === 'string' &&
    (kind === 'events' ? isUuid(id) : isStorableText(id))
  ) {
    return { order, isBackward, isInclusive, timestampMicros, id }
  }
  throw new InvalidQueryError(
    `cursor is ${show(text)}; it must be next or previous of an answer about ${kind}`,
  )
}

function parseCursor(text: unknown): readonly unknown[] {
  if (typeof text !== 'string' || text.length > MAX_CURSOR_LENGTH || !/^[\w-]+$/.test(text)) return []
  try {
    const fields: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return Array.isArray(fields) ? fields : []
  } catch {
    return []
  }
}

/** Whether a store may hold this text: NUL and lone surrogates are replaced before an event is stored. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
