import { readFile } from 'node:fs/promises'

const ORDERS = ['descending', 'ascending']
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Answers from the whole file, read anew for each page. */
export function createReader(path) {
  return {
    async readEvents(query, request = {}) {
      const page = resolvePage('events', query, request)
      const { items, ...cursors } = pageOf('events', await readMatching(path, query), page)
      return { events: items.map(toStoredEvent), ...cursors }
    },
    async readSessions(query, request = {}) {
      const page = resolvePage('sessions', query, request)
      const sessions = Map.groupBy(await readMatching(path, query), ({ sessionId }) => sessionId)
      const { items, ...cursors } = pageOf('sessions', Array.from(sessions, toSession), page)
      return { sessions: items.map(({ summary }) => summary), ...cursors }
    },
  }
}

async function readMatching(path, { sessionId, eventTypes, from, to }) {
  const text = await readFile(path, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const events = new Map()
  for (const line of whole.split('\n').filter(Boolean)) {
    const event = JSON.parse(line)
    const isWanted =
      (sessionId === undefined || event.sessionId === sessionId) &&
      (!eventTypes || eventTypes.includes(event.eventType)) &&
      (!from || event.timestampMicros >= from.getTime() * 1000) &&
      (!to || event.timestampMicros < to.getTime() * 1000)
    if (isWanted) events.set(event.eventId, { ...event, micros: event.timestampMicros, id: event.eventId })
  }
  return [...events.values()]
}

function toStoredEvent({ micros, id, observedAtMicros, origin, data, attributes, ...event }) {
  return {
    ...event,
    data: JSON.parse(data),
    timestamp: new Date(Math.floor(micros / 1000)),
    attributes: parse(attributes),
    resource: parse(origin?.resource),
    scope: parse(origin?.scope),
  }
}

function parse(text) {
  return text ? JSON.parse(text) : null
}

function toSession([sessionId, events]) {
  const times = events.map(({ micros }) => micros)
  const micros = times.reduce((a, b) => Math.min(a, b))
  const count = (isCounted) => events.filter(isCounted).length
  const summary = {
    sessionId,
    startedAt: new Date(Math.floor(micros / 1000)),
    lastEventAt: new Date(Math.floor(times.reduce((a, b) => Math.max(a, b)) / 1000)),
    events: events.length,
    tools: count(({ eventType }) => eventType === 'tool_execution_started'),
    failures: count(isFailure),
    blocked: count(({ eventType }) => eventType === 'tool_blocked'),
  }
  return { id: sessionId, micros, summary }
}

function isFailure({ eventType, data }) {
  if (eventType === 'error_occurred') return true
  return eventType === 'tool_execution_completed' && JSON.parse(data).success === false
}

function compare(a, b) {
  return a.micros - b.micros || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id))
}

function pageOf(kind, items, { limit, order, isBackward, start }) {
  const sign = (order === 'ascending') === isBackward ? -1 : 1
  const found = items
    .filter(
      (item) =>
        !start || sign * compare(item, start) > 0 || (start.isInclusive && compare(item, start) === 0),
    )
    .sort((a, b) => sign * compare(a, b))
  const page = found.slice(0, limit)
  const cursor = (backward, isInclusive, { micros, id }) =>
    Buffer.from(JSON.stringify([kind, order, backward, isInclusive, micros, id])).toString('base64url')
  const onwards = found.length > limit ? cursor(isBackward, false, page.at(-1)) : null
  const behind = page[0]
    ? cursor(!isBackward, false, page[0])
    : start && cursor(!isBackward, !start.isInclusive, start)
  const back = start && behind
  if (isBackward) return { items: page.reverse(), next: back, previous: onwards }
  return { items: page, next: onwards, previous: back }
}

function resolvePage(kind, query, { cursor, limit = 100, order }) {
  for (const name of ['from', 'to']) {
    const time = query[name]
    check(
      time === undefined || (time instanceof Date && !Number.isNaN(time.getTime())),
      name,
      time,
      'a valid Date',
    )
  }
  check(Number.isInteger(limit) && limit >= 1 && limit <= 1000, 'limit', limit, 'an integer from 1 to 1000')
  check(order === undefined || ORDERS.includes(order), 'order', order, 'descending or ascending')
  if (cursor === undefined) return { limit, order: order ?? 'descending', isBackward: false, start: null }
  const [of, ordered, isBackward, isInclusive, micros, id] = fieldsOf(cursor)
  const isKey =
    Number.isSafeInteger(micros) && typeof id === 'string' && (kind === 'sessions' || UUID.test(id))
  check(of === kind && ORDERS.includes(ordered) && isKey, 'cursor', cursor, `one of an answer about ${kind}`)
  check(order === undefined || order === ordered, 'order', order, 'that of the cursor')
  return { limit, order: ordered, isBackward, start: { isInclusive, micros, id } }
}

function fieldsOf(cursor) {
  try {
    const fields = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(fields) ? fields : []
  } catch {
    return []
  }
}

function check(isAllowed, name, value, allowed) {
  if (isAllowed) return
  const shown = typeof value === 'string' ? JSON.stringify(value).slice(0, 100) : String(value)
  throw Object.assign(new Error(`${name} is ${shown}; it must be ${allowed}`), { name: 'InvalidQueryError' })
}
