import { Attribute, MAX_NAME_LENGTH, MIRRORED_DATA_KEYS, type Micros } from '@agentic-hooks/events'

/** What may be a name: a UTF-16 unit takes at most three bytes of UTF-8. */
export const MAX_NAME_BYTES = MAX_NAME_LENGTH * 3

/** Of attributes with these keys the text counts. */
export const TEXT_KEYS: readonly string[] = [
  Attribute.EventId,
  Attribute.SessionId,
  Attribute.GenAiConversationId,
  Attribute.ConversationId,
  Attribute.WorkflowId,
  Attribute.PhaseId,
  Attribute.MilestoneId,
  Attribute.EventName,
]

/** Keys of the attributes that mean something to us. A record has each under its place in this list. */
export const KNOWN_ATTRIBUTES: readonly string[] = [
  ...TEXT_KEYS,
  Attribute.Data,
  'body',
  Attribute.ToolName,
  Attribute.ToolCallId,
  Attribute.AgentId,
  Attribute.AgentName,
  Attribute.RequestModel,
]

export const EVENT_ID = KNOWN_ATTRIBUTES.indexOf(Attribute.EventId)
export const SESSION_ID = KNOWN_ATTRIBUTES.indexOf(Attribute.SessionId)
export const GEN_AI_CONVERSATION_ID = KNOWN_ATTRIBUTES.indexOf(Attribute.GenAiConversationId)
export const CONVERSATION_ID = KNOWN_ATTRIBUTES.indexOf(Attribute.ConversationId)
export const WORKFLOW_ID = KNOWN_ATTRIBUTES.indexOf(Attribute.WorkflowId)
export const PHASE_ID = KNOWN_ATTRIBUTES.indexOf(Attribute.PhaseId)
export const MILESTONE_ID = KNOWN_ATTRIBUTES.indexOf(Attribute.MilestoneId)
export const EVENT_NAME = KNOWN_ATTRIBUTES.indexOf(Attribute.EventName)
export const DATA = KNOWN_ATTRIBUTES.indexOf(Attribute.Data)
export const BODY = KNOWN_ATTRIBUTES.indexOf('body')

/** Keys of a hook event's data that its record may repeat as attributes. */
export const MIRRORED_KEYS: readonly string[] = Object.keys(MIRRORED_DATA_KEYS)
/** The attribute of each, as its place in {@link KNOWN_ATTRIBUTES}. */
export const MIRRORS: readonly number[] = Object.values(MIRRORED_DATA_KEYS).map((name) =>
  KNOWN_ATTRIBUTES.indexOf(name),
)

/** The bits of {@link MIRRORS}. */
const MIRROR_BITS = MIRRORS.reduce((bits, key) => bits | (1 << key), 0)

/**
 * The log record that is being read, as far as both encodings give it alike. One object serves all records of
 * a request. Attributes stay where they are: their source finds the last one of a known key, and all the others.
 */
export class LogRecord {
  /** 0 when not given. */
  timeMicros: Micros = 0
  observedMicros: Micros = 0
  severityNumber = 0
  severityText = ''
  droppedAttributesCount = 0
  flags = 0
  traceId: string | null = null
  spanId: string | null = null
  eventName = ''
  /** The bits of the known attributes that the record has and that nothing has taken. */
  #present = 0
  /** The texts of those whose text counts; null for a value that is none. Of an absent one it means nothing. */
  readonly texts: (string | null)[] = TEXT_KEYS.map(() => null)
  /** Whether the event id among the texts is known to be a UUID in lower case. */
  hasUuid = false
  /** Whether it has other attributes, which nothing has taken. */
  hasRest = false

  /** Takes note of known attributes by their bits. */
  addKnown(keys: number): void {
    this.#present |= keys
  }

  has(key: number): boolean {
    return ((this.#present >>> key) & 1) === 1
  }

  get hasMirrors(): boolean {
    return (this.#present & MIRROR_BITS) !== 0
  }

  /** The text of a known attribute; null when that is absent or no string. */
  text(key: number): string | null {
    return this.has(key) ? this.texts[key]! : null
  }

  /** Has a known attribute be part of something else than the rest. */
  take(key: number): void {
    this.#present &= ~(1 << key)
  }

  /** Takes the first known attribute that is left; -1 when there is none. */
  takeNext(): number {
    if (this.#present === 0) return -1
    const key = 31 - Math.clz32(this.#present & -this.#present)
    this.take(key)
    return key
  }

  clear(): void {
    this.timeMicros = 0
    this.observedMicros = 0
    this.severityNumber = 0
    this.severityText = ''
    this.droppedAttributesCount = 0
    this.flags = 0
    this.traceId = null
    this.spanId = null
    this.eventName = ''
    this.hasUuid = false
    this.#present = 0
    this.hasRest = false
  }
}

/** The encoded form of the record that is being read: finds its attributes and its body, and writes them. */
export interface LogRecordSource {
  /** Whether a known attribute is the very string that the map written last by `writeData` has under that mirrored key. */
  isMirrored(key: number, mirroredKey: number): boolean
  /** Writes `"key":value` of a known attribute into the object that is open. */
  writeMember(key: number): void
  /** Writes all attributes that are not known. */
  writeRest(): void
  /** Writes the value of a known attribute that is a map, as a payload of its own; false for any other. */
  writeData(key: number): boolean
  /** The body when it is a string short enough to be a name. */
  bodyText(): string | null
  /** Writes `"body":value` into the object that is open; false when the record has no body. */
  writeBody(): boolean
}
