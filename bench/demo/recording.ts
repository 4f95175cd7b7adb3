import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type EventData, EventType, isJsonObject, parseJson } from '@agentic-hooks/events'

/** One recorded session of Claude Code: what it printed as `stream-json`, as hook events. */
export interface Recording {
  /** As in `multi-tool`. */
  readonly task: string
  readonly sessionId: string
  readonly events: readonly RecordedEvent[]
}

export interface RecordedEvent {
  readonly offsetMillis: number
  readonly eventType: string
  readonly data: EventData
}

export const RECORDINGS = join(import.meta.dirname, 'recordings')

export function readRecordings(folder = RECORDINGS): Recording[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
  return files.sort().map((file) => {
    const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n').map(parseJson) as EventData[]
    const [header] = lines
    if (!isJsonObject(header?._recording)) throw new Error(`${file} does not begin with a _recording line`)
    return {
      task: file.replace(/^.*_|\.jsonl$/g, ''),
      sessionId: String(header._recording.session_id),
      events: toEvents(lines.slice(1)),
    }
  })
}

/** A tool that is running: where its result finds the name and the time that it began. */
type Running = Map<unknown, { name: unknown; offsetMillis: number }>

function toEvents(messages: readonly EventData[]): RecordedEvent[] {
  const running: Running = new Map()
  return messages.flatMap((message) => {
    const offsetMillis = Number(message._offset_ms)
    return eventsOf(message, running).map(([eventType, data]) => ({ offsetMillis, eventType, data }))
  })
}

function eventsOf(message: EventData, running: Running): [string, EventData][] {
  switch (message.type) {
    case 'system':
      return message.subtype === 'init' ? [[EventType.SessionStarted, sessionStarted(message)]] : []
    case 'assistant':
      return blocks(message, 'tool_use').map((block) => [
        EventType.ToolExecutionStarted,
        toolStarted(block, message, running),
      ])
    case 'user':
      return [
        ...prompts(message).map((prompt): [string, EventData] => [EventType.UserPromptSubmitted, { prompt }]),
        ...blocks(message, 'tool_result').map((block): [string, EventData] => [
          EventType.ToolExecutionCompleted,
          toolCompleted(block, message, running),
        ]),
      ]
    case 'result':
      return [
        ...denials(message).map((denial): [string, EventData] => [EventType.ToolBlocked, denial]),
        [EventType.AgentRequestCompleted, requestCompleted(message)],
        [EventType.SessionCompleted, sessionCompleted(message)],
      ]
    default:
      return []
  }
}

function sessionStarted(message: EventData): EventData {
  const { cwd, model, tools, permissionMode, claude_code_version, agents } = message
  return {
    source: 'startup',
    cwd,
    model,
    tools,
    agents,
    permission_mode: permissionMode,
    claude_code_version,
  }
}

function toolStarted(block: EventData, message: EventData, running: Running): EventData {
  running.set(block.id, { name: block.name, offsetMillis: Number(message._offset_ms) })
  return { tool_name: block.name, tool_use_id: block.id, tool_input: block.input }
}

function toolCompleted(block: EventData, message: EventData, running: Running): EventData {
  const endMillis = Number(message._offset_ms)
  const started = running.get(block.tool_use_id)
  const response = message.tool_use_result
  const success = block.is_error !== true
  return {
    tool_name: started?.name,
    tool_use_id: block.tool_use_id,
    tool_result: block.content,
    tool_response: response,
    success,
    ...(!success && { error: block.content }),
    // Some tools say themselves; the recorder saw the others' messages, often several at a time.
    duration_ms:
      isJsonObject(response) && response.durationMs
        ? response.durationMs
        : endMillis - (started?.offsetMillis ?? endMillis),
  }
}

function denials(message: EventData): EventData[] {
  const denied = Array.isArray(message.permission_denials)
    ? message.permission_denials.filter(isJsonObject)
    : []
  return denied.map(({ tool_name, tool_use_id, tool_input }) => ({
    tool_name,
    tool_use_id,
    tool_input,
    reason: 'permission denied',
  }))
}

function requestCompleted(message: EventData): EventData {
  const { duration_ms, duration_api_ms, num_turns, usage, modelUsage, result, is_error } = message
  return {
    scope: 'turn',
    success: is_error !== true,
    duration_ms,
    duration_api_ms,
    num_turns,
    usage,
    model_usage: modelUsage,
    response: result,
  }
}

function sessionCompleted(message: EventData): EventData {
  const { duration_ms, total_cost_usd, num_turns, subtype, usage } = message
  return { reason: subtype, duration_ms, total_cost_usd, num_turns, usage }
}

function prompts(message: EventData): string[] {
  const { content } = message.message as EventData
  if (typeof content === 'string') return [content]
  return blocks(message, 'text').map(({ text }) => String(text))
}

function blocks(message: EventData, type: string): EventData[] {
  const { content } = message.message as EventData
  return Array.isArray(content) ? content.filter(isJsonObject).filter((block) => block.type === type) : []
}
