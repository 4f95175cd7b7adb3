import { type EventData, EventType } from '@agentic-hooks/events'

export interface SampleEvent {
  readonly eventType: string
  readonly data: EventData
}

/**
 * What one turn of a coding agent reports, with payloads of the size of the recorded sessions: about 600 bytes
 * an event in OTLP protobuf.
 */
const TURN: readonly SampleEvent[] = [
  {
    eventType: EventType.UserPromptSubmitted,
    data: {
      prompt:
        'Find out why the nightly import stops after 65,535 rows, write a failing test first and then repair it.',
      permission_mode: 'default',
    },
  },
  {
    eventType: EventType.ToolExecutionStarted,
    data: {
      tool_name: 'Grep',
      tool_use_id: 'toolu_01HuyhCBKuYb18ZeCpBwn5Hv',
      tool_input: { pattern: 'readUInt16|MAX_ROWS', path: 'src/import', output_mode: 'content', '-n': true },
      cwd: '/workspace/importer',
    },
  },
  {
    eventType: EventType.ToolExecutionCompleted,
    data: {
      tool_name: 'Grep',
      tool_use_id: 'toolu_01HuyhCBKuYb18ZeCpBwn5Hv',
      tool_response:
        'src/import/reader.ts:118:    const count = header.readUInt16LE(6)\nsrc/import/reader.ts:131:    if (count === MAX_ROWS) return',
      success: true,
      duration_ms: 41,
    },
  },
  {
    eventType: EventType.ToolExecutionStarted,
    data: {
      tool_name: 'Edit',
      tool_use_id: 'toolu_013Sy3oeG3j9R79soHNwgtGn',
      tool_input: {
        file_path: '/workspace/importer/src/import/reader.ts',
        old_string: '    const count = header.readUInt16LE(6)',
        new_string: '    const count = header.readUInt32LE(6)',
      },
    },
  },
  {
    eventType: EventType.ToolExecutionCompleted,
    data: {
      tool_name: 'Edit',
      tool_use_id: 'toolu_013Sy3oeG3j9R79soHNwgtGn',
      tool_response: { filePath: '/workspace/importer/src/import/reader.ts', userModified: false },
      success: true,
      duration_ms: 12,
    },
  },
  {
    eventType: EventType.ToolExecutionStarted,
    data: {
      tool_name: 'Bash',
      tool_use_id: 'toolu_01Duj8L9PUh7xbAk8iBTQuJT',
      tool_input: { command: 'npm test -- src/import', description: 'Run the import tests', timeout: 120000 },
      cwd: '/workspace/importer',
    },
  },
  {
    eventType: EventType.ToolExecutionCompleted,
    data: {
      tool_name: 'Bash',
      tool_use_id: 'toolu_01Duj8L9PUh7xbAk8iBTQuJT',
      tool_response: {
        stdout: ' Test Files  1 passed (1)\n      Tests  14 passed (14)\n   Duration  1.21s',
        stderr: '',
      },
      success: true,
      duration_ms: 2216,
    },
  },
  {
    eventType: EventType.AgentRequestCompleted,
    data: {
      scope: 'model_call',
      model: 'claude-sonnet-4-5-20250929',
      usage: {
        input_tokens: 6,
        output_tokens: 129,
        cache_read_input_tokens: 18045,
        cache_creation_input_tokens: 130,
      },
      cost_usd: 0.0206399,
      duration_ms: 1935,
      stop_reason: 'end_turn',
    },
  },
]

export function sampleEvent(index: number): SampleEvent {
  return TURN[index % TURN.length]!
}
