import type { Expected } from '../register/library.ts'

export const expected: Expected = {
  client: [
    'session_started',
    'tool_execution_started weather',
    'tool_execution_completed weather',
    'tool_execution_started weather',
    'tool_execution_completed weather failed: no such city',
    'tool_execution_started unheard_of',
    'tool_execution_completed unheard_of failed: MCP error -32602: Tool unheard_of not found',
    'tool_execution_started weather',
    'tool_execution_started weather',
    'tool_execution_completed weather',
    'tool_execution_completed weather failed: no such city',
    'tool_execution_started ask',
    'tool_execution_started weather',
    'tool_execution_completed weather',
    'tool_execution_completed ask',
    'tool_execution_started weather',
    'tool_execution_completed weather',
    'tool_execution_started sleep',
    'tool_execution_completed sleep failed: MCP error -32001: enough',
    'session_completed',
  ],
  server: [
    'session_started',
    'tool_execution_started weather',
    'tool_execution_completed weather',
    'session_completed',
  ],
}
