import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RECORDINGS, readRecordings } from '../demo/recording.ts'
import { sessionOf } from '../demo/swarm.ts'

const MAIN = join(import.meta.dirname, '../demo/main.ts')

/** What a tool_use or tool_result block of a recording must be found as. */
interface ToolEvent {
  readonly event_type: string
  readonly tool_use_id: string
  readonly payload: unknown
}

interface StoredLine {
  readonly event_id: string
  readonly timestamp: string
  readonly event_type: string
  readonly session_id: string
  readonly workflow_id: string
  readonly data: Record<string, unknown>
}

interface Message {
  readonly _recording?: { readonly session_id: string }
  readonly message?: { readonly content: string | readonly Block[] }
  readonly tool_use_result?: unknown
}

interface Block {
  readonly type: string
  readonly id: string
  readonly input: unknown
  readonly tool_use_id: string
  readonly content: unknown
  readonly is_error?: boolean
}

/** Read from the files themselves, not with the demo's own reader, in the order in which they were recorded. */
function recordedTools(): Map<string, ToolEvent[]> {
  const files = readdirSync(RECORDINGS).filter((name) => name.endsWith('.jsonl'))
  return new Map(
    files.map((file) => {
      const lines = readFileSync(join(RECORDINGS, file), 'utf8').trim().split('\n')
      const messages = lines.map((line) => JSON.parse(line) as Message)
      return [messages[0]!._recording!.session_id, messages.flatMap(toolEvents)]
    }),
  )
}

function toolEvents({ message, tool_use_result }: Message): ToolEvent[] {
  if (!Array.isArray(message?.content)) return []
  return (message.content as Block[]).flatMap((block) => {
    if (block.type === 'tool_use') {
      return { event_type: 'tool_execution_started', tool_use_id: block.id, payload: block.input }
    }
    if (block.type !== 'tool_result') return []
    const payload = { content: block.content, response: tool_use_result, success: block.is_error !== true }
    return { event_type: 'tool_execution_completed', tool_use_id: block.tool_use_id, payload }
  })
}

function storedTools(events: readonly StoredLine[]): Map<string, ToolEvent[]> {
  const tools = events.filter(({ event_type }) => event_type.startsWith('tool_execution_'))
  const bySession = Map.groupBy(tools, ({ session_id }) => session_id)
  return new Map(Array.from(bySession, ([session, ofSession]) => [session, ofSession.map(storedTool)]))
}

function storedTool({ event_type, data }: StoredLine): ToolEvent {
  const { tool_use_id, tool_input, tool_result, tool_response, success } = data
  const payload =
    event_type === 'tool_execution_started'
      ? tool_input
      : { content: tool_result, response: tool_response, success }
  return { event_type, tool_use_id: String(tool_use_id), payload }
}

function withTools(tools: Map<string, ToolEvent[]>): Map<string, ToolEvent[]> {
  return new Map([...tools].filter(([, ofSession]) => ofSession.length))
}

function byTimeAndId(a: StoredLine, b: StoredLine): number {
  return a.timestamp.localeCompare(b.timestamp) || a.event_id.localeCompare(b.event_id)
}

async function runDemo(args: readonly string[], environment: Record<string, string> = {}) {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-C', '@agentic-hooks/source', MAIN, ...args],
    { env: { ...process.env, ...environment } },
  )
  return stdout
}

describe('the demo', () => {
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-demo-'))
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(async () => {
    await postgres.stop()
    rmSync(folder, { recursive: true })
  })

  it('stores every tool_use and tool_result of the recordings in a JSONL file, in order and unchanged', async () => {
    const path = join(folder, 'events.jsonl')
    const output = await runDemo(['--path', path])
    const lines = readFileSync(path, 'utf8').trim().split('\n')
    const events = lines.map((line) => JSON.parse(line) as StoredLine).sort(byTimeAndId)
    expect(storedTools(events)).toEqual(withTools(recordedTools()))
    expect(output).toContain(`${events.length} events emitted, ${events.length} read back from ${path}`)
  })

  it('stores them in PostgreSQL, in order and unchanged', async () => {
    const url = await postgres.createDatabase()
    await runDemo(['--postgres'], { DATABASE_URL: url })
    const events = await execute(url, 'SELECT * FROM hook_events ORDER BY "timestamp", event_id')
    expect(storedTools(events as unknown as StoredLine[])).toEqual(withTools(recordedTools()))
  })

  it('gives every agent of a larger swarm a session of its own', async () => {
    const url = await postgres.createDatabase()
    const output = await runDemo(['--agents', '40', '--postgres'], { DATABASE_URL: url })
    const recordings = readRecordings()
    const expected = Array.from({ length: 40 }, (_, agent) => {
      const { recording, sessionId } = sessionOf(recordings, agent)
      return { session_id: sessionId, workflow_id: recording.task, events: recording.events.length }
    })
    const stored = await execute(
      url,
      'SELECT session_id, workflow_id, count(*)::int AS events FROM hook_events GROUP BY 1, 2',
    )
    expect(stored).toHaveLength(40)
    expect(stored).toEqual(expect.arrayContaining(expected))
    expect(output).toContain('40 sessions')
    expect(output).toContain('28 more sessions')
  })

  it('shows sessions, tools, failures and durations', async () => {
    const output = await runDemo(['--path', join(folder, 'shown.jsonl')])
    expect(output).toMatch(/42e52499-\S+ +context-tracking +15 +6 +1 +0 +20\.8/)
    expect(output).toMatch(/Write +1 +1 +1 +30\b/)
    expect(output).toMatch(/6 sessions +42 +11 +3 +2/)
  })

  it('refuses a number of agents that is none', async () => {
    await expect(runDemo(['--agents', 'many'])).rejects.toThrow(
      '--agents is "many"; it must be a number above 0',
    )
  })
})
