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
  type EventQuery,
  type EventReader,
  type EventRecord,
  EventType,
  type SessionSummary,
  type StoredEvent,
  toHookEvent,
} from '@agentic-hooks/events'
import type { Logger } from './options.ts'
import { rotatedFiles } from './rotation.ts'

export interface JsonlReaderOptions {
  readonly path: string
  readonly fileSystem: FileSystem
  readonly logger: Logger
}

/** Where an event that was asked for is; not the event itself, of which there may be more than fit into memory. */
interface Place {
  readonly timestampMicros: number
  readonly eventId: string
  readonly file: OpenFile
  readonly start: number
  readonly end: number
}

/**
 * Answers questions from the files of a path, the rotated ones included, while they are written to. There is
 * no index: every question reads all lines. An event that is there more than once counts once.
 */
export class JsonlReader implements EventReader {
  readonly #options: JsonlReaderOptions

  constructor(options: JsonlReaderOptions) {
    this.#options = options
  }

  async *query(query: EventQuery): AsyncGenerator<StoredEvent> {
    const files = await this.#openFiles()
    try {
      for (const { file, start, end } of await this.#findPlaces(files, query)) {
        const line = await readRange(file, start, end)
        yield toHookEvent(decodeLine(line.toString()))
      }
    } finally {
      for (const file of files) await file.close()
    }
  }

  async sessions(query: EventQuery): Promise<SessionSummary[]> {
    const files = await this.#openFiles()
    try {
      const sessions = new Map<string, SessionCounts>()
      const seen = new Set<string>()
      for await (const { record } of this.#matching(files, query)) {
        if (seen.has(record.eventId)) continue
        seen.add(record.eventId)
        const session = sessions.get(record.sessionId) ?? new SessionCounts(record)
        sessions.set(record.sessionId, session)
        session.add(record)
      }
      const summaries = Array.from(sessions.values(), (session) => session.summary())
      return summaries
        .sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime() || (a.sessionId < b.sessionId ? -1 : 1))
        .slice(0, query.limit ?? summaries.length)
    } finally {
      for (const file of files) await file.close()
    }
  }

  /** The places of the oldest `limit` events, oldest first. */
  async #findPlaces(files: readonly OpenFile[], query: EventQuery): Promise<Place[]> {
    const limit = query.limit ?? Number.POSITIVE_INFINITY
    let places: Place[] = []
    for await (const { record, line, file } of this.#matching(files, query)) {
      const { timestampMicros, eventId } = record
      places.push({ timestampMicros, eventId, file, start: line.start, end: line.end })
      if (places.length >= 2 * limit + 1000) places = firstOf(places, limit)
    }
    return firstOf(places, limit)
  }

  async *#matching(files: readonly OpenFile[], query: EventQuery) {
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
    if (wrongLines > 0) logger.warn({ path, wrongLines }, 'some lines are no events; import names them')
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

function firstOf(places: Place[], limit: number): Place[] {
  places.sort((a, b) => a.timestampMicros - b.timestampMicros || (a.eventId < b.eventId ? -1 : 1))
  return places.filter((place, index) => place.eventId !== places[index - 1]?.eventId).slice(0, limit)
}

class SessionCounts {
  readonly #sessionId: string
  #firstMicros = Number.POSITIVE_INFINITY
  #lastMicros = 0
  #events = 0
  #tools = 0
  #failures = 0
  #blocked = 0

  constructor({ sessionId }: EventRecord) {
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
