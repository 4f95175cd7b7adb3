import {
  type FileSystem,
  hasCode,
  type Line,
  type OpenFile,
  readLines,
  readRange,
  resolveLinks,
} from '@agentic-hooks/durable-files'
import {
  decodeLine,
  type EventPage,
  type EventQuery,
  type EventReader,
  type EventRecord,
  EventType,
  type PageKey,
  type PageRequest,
  type ResolvedPage,
  resolvePage,
  type SessionPage,
  type SessionSummary,
  type StoredEvent,
  toHookEvent,
  toPage,
} from '@agentic-hooks/events'
import type { Logger } from './options.ts'
import { rotatedFiles } from './rotation.ts'

export interface JsonlReaderOptions {
  readonly path: string
  readonly fileSystem: FileSystem
  readonly logger: Logger
}

/** Where an event that was asked for is; not the event itself, which may be large. */
interface Place {
  readonly timestampMicros: number
  readonly id: string
  readonly file: OpenFile
  readonly start: number
  readonly end: number
}

/**
 * Answers questions from the files of a path, the rotated ones included, while they are written to. An event that is
 * there more than once counts once.
 *
 * There is no index: a page of events reads all lines once, and holds the places of about two pages and then the
 * events of one. A page of sessions reads all lines twice, and holds the id and the start of every matching session
 * and then the event ids of the page's sessions.
 */
export class JsonlReader implements EventReader {
  readonly #options: JsonlReaderOptions

  constructor(options: JsonlReaderOptions) {
    this.#options = options
  }

  async readEvents(query: EventQuery, request: PageRequest = {}): Promise<EventPage> {
    const page = resolvePage('events', query, request)
    return this.#withFiles(async (files) => {
      const found = new FirstKeys<Place>(page)
      for await (const { record, line, file } of this.#matching(files, query)) {
        const { timestampMicros, eventId: id } = record
        found.add({ timestampMicros, id, file, start: line.start, end: line.end })
      }
      const { items, ...cursors } = toPage('events', found.keys(), page, (place) => place)
      const events: StoredEvent[] = []
      for (const { file, start, end } of items) {
        events.push(toHookEvent(decodeLine((await readRange(file, start, end)).toString())))
      }
      return { events, ...cursors }
    })
  }

  async readSessions(query: EventQuery, request: PageRequest = {}): Promise<SessionPage> {
    const page = resolvePage('sessions', query, request)
    return this.#withFiles(async (files) => {
      const starts = new Map<string, number>()
      for await (const { record } of this.#matching(files, query)) {
        const startedMicros = starts.get(record.sessionId) ?? Number.POSITIVE_INFINITY
        starts.set(record.sessionId, Math.min(startedMicros, record.timestampMicros))
      }
      const found = new FirstKeys<PageKey>(page)
      for (const [id, timestampMicros] of starts) found.add({ id, timestampMicros })
      const { items, ...cursors } = toPage('sessions', found.keys(), page, (key) => key)
      const counts = new Map(items.map(({ id }) => [id, new SessionCounts(id)]))
      const seen = new Set<string>()
      for await (const { record } of this.#matching(files, query, false)) {
        const session = counts.get(record.sessionId)
        if (!session || seen.has(record.eventId)) continue
        seen.add(record.eventId)
        session.add(record)
      }
      return { sessions: Array.from(counts.values(), (session) => session.summary()), ...cursors }
    })
  }

  async #withFiles<T>(answer: (files: readonly OpenFile[]) => Promise<T>): Promise<T> {
    const files = await this.#openFiles()
    try {
      return await answer(files)
    } finally {
      for (const file of files) await file.close()
    }
  }

  async *#matching(files: readonly OpenFile[], query: EventQuery, reports = true) {
    const matches = matcher(query)
    let wrongLines = 0
    for (const file of files) {
      for await (const line of readLines(file)) {
        try {
          const record = matches(line)
          if (record) yield { record, line, file }
        } catch {
          if (line.bytes.toString().trim()) wrongLines++
        }
      }
    }
    const { path, logger } = this.#options
    if (reports && wrongLines > 0)
      logger.warn({ path, wrongLines }, 'some lines are no events; import names them')
  }

  /** Oldest first. The current file is opened first, so that one that is rotated meanwhile is not missed. */
  async #openFiles(): Promise<OpenFile[]> {
    const { fileSystem } = this.#options
    const files: OpenFile[] = []
    try {
      const path = await resolveLinks(fileSystem, this.#options.path)
      const current = await openIfThere(fileSystem, path)
      const inode = (await current?.stat())?.ino
      for (const rotated of await rotatedFiles(fileSystem, path)) {
        const file = await openIfThere(fileSystem, rotated)
        if (file && (await file.stat()).ino === inode) await file.close()
        else if (file) files.push(file)
      }
      return current ? [...files, current] : files
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return files // Not even the directory is there yet.
      throw error
    }
  }
}

async function openIfThere(fileSystem: FileSystem, path: string): Promise<OpenFile | null> {
  try {
    return await fileSystem.open(path, 'r')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

/** What gives the event of a line when it matches; throws when the line is no event. */
function matcher(query: EventQuery): (line: Line) => EventRecord | null {
  const { sessionId, eventTypes, from, to } = query
  const fromMicros = from ? from.getTime() * 1000 : Number.NEGATIVE_INFINITY
  const toMicros = to ? to.getTime() * 1000 : Number.POSITIVE_INFINITY
  // Looking for the bytes is far cheaper than decoding every line.
  const needles = [[sessionId ?? ''], eventTypes ?? ['']].map((texts) =>
    texts.every(isPlain) ? texts : [''],
  )
  return ({ bytes }) => {
    if (!needles.every((texts) => texts.some((text) => bytes.includes(text)))) return null
    const record = decodeLine(bytes.toString())
    if (sessionId !== undefined && record.sessionId !== sessionId) return null
    if (eventTypes && !eventTypes.includes(record.eventType)) return null
    return record.timestampMicros >= fromMicros && record.timestampMicros < toMicros ? record : null
  }
}

/** Whether a text is spelled the same in any JSON. */
function isPlain(text: string): boolean {
  return /^[\w .:-]*$/.test(text)
}

/** The first of many keys from the start of a page on, one more than the page holds, each once. */
class FirstKeys<T extends PageKey> {
  readonly #page: ResolvedPage
  #keys: T[] = []

  constructor(page: ResolvedPage) {
    this.#page = page
  }

  add(key: T): void {
    if (!this.#isFromStart(key)) return
    this.#keys.push(key)
    if (this.#keys.length >= 2 * this.#page.limit + 1000) this.#keys = this.keys()
  }

  keys(): T[] {
    const sorted = this.#keys.sort((a, b) => this.#compare(a, b))
    return sorted.filter(({ id }, index) => id !== sorted[index - 1]?.id).slice(0, this.#page.limit + 1)
  }

  #isFromStart(key: PageKey): boolean {
    const { start } = this.#page
    if (!start) return true
    const compared = this.#compare(key, start)
    return compared > 0 || (compared === 0 && start.isInclusive)
  }

  /** In the order of reading. */
  #compare(a: PageKey, b: PageKey): number {
    const ascending = a.timestampMicros - b.timestampMicros || compareBytes(a.id, b.id)
    return this.#page.isDescending ? -ascending : ascending
  }
}

/** By the bytes of UTF-8, as PostgreSQL's collation "C" does; by UTF-16 an emoji would come before U+FFFD. */
function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

class SessionCounts {
  readonly #sessionId: string
  #firstMicros = Number.POSITIVE_INFINITY
  #lastMicros = 0
  #events = 0
  #tools = 0
  #failures = 0
  #blocked = 0

  constructor(sessionId: string) {
    this.#sessionId = sessionId
  }

  add(record: EventRecord): void {
    const { eventType, timestampMicros } = record
    this.#firstMicros = Math.min(this.#firstMicros, timestampMicros)
    this.#lastMicros = Math.max(this.#lastMicros, timestampMicros)
    this.#events++
    if (eventType === EventType.ToolExecutionStarted) this.#tools++
    if (eventType === EventType.ToolBlocked) this.#blocked++
    if (eventType === EventType.ErrorOccurred || isFailedTool(record)) this.#failures++
  }

  summary(): SessionSummary {
    return {
      sessionId: this.#sessionId,
      startedAt: new Date(Math.floor(this.#firstMicros / 1000)),
      lastEventAt: new Date(Math.floor(this.#lastMicros / 1000)),
      events: this.#events,
      tools: this.#tools,
      failures: this.#failures,
      blocked: this.#blocked,
    }
  }
}

function isFailedTool(record: EventRecord): boolean {
  return record.eventType === EventType.ToolExecutionCompleted && toHookEvent(record).data.success === false
}
