import type { Expected } from '../register/library.ts'

const BEGIN = ['session_started', 'user_prompt_submitted main: "go"', 'agent_request_started(turn) main:']
const MODEL_ASKS = ['agent_request_started(model_call) main:', 'agent_request_completed(model_call) main:']
const MODEL_ENDS = [
  'agent_request_started(model_call) main:',
  'agent_request_completed(model_call) main: stop',
]

function turn(...events: string[]): string[] {
  return [...BEGIN, ...events, 'agent_request_completed(turn) main: completed', 'session_completed']
}

export const expected: Expected = {
  succeeds: turn(
    ...MODEL_ASKS,
    'tool_execution_started main: weather c1',
    'tool_execution_completed main: weather c1',
    ...MODEL_ENDS,
  ),
  throws: turn(
    ...MODEL_ASKS,
    'tool_execution_started main: weather c1',
    'tool_execution_completed main: weather c1 failed: no such city',
    ...MODEL_ENDS,
  ),
  denied: turn(...MODEL_ASKS, 'tool_blocked main: erase c1 because read-only', ...MODEL_ENDS),
  parallel: turn(
    ...MODEL_ASKS,
    'tool_execution_started main: weather c1',
    'tool_execution_started main: weather c2',
    'tool_execution_completed main: weather c1',
    'tool_execution_completed main: weather c2 failed: no such city',
    ...MODEL_ENDS,
  ),
  streamed: [
    'session_started',
    'agent_request_started(model_call)',
    'agent_request_completed(model_call)',
    'session_completed',
  ],
  left: [
    'session_started',
    'agent_request_started(model_call)',
    'agent_request_completed(model_call) failed: The stream was left aborted',
    'session_completed',
  ],
  nested: turn(
    ...MODEL_ASKS,
    'tool_execution_started main: research c1',
    'subagent_started [researcher]',
    'agent_request_started(model_call) [researcher]',
    'agent_request_completed(model_call) [researcher]',
    'tool_execution_started [researcher] weather s1',
    'tool_execution_completed [researcher] weather s1',
    'agent_request_started(model_call) [researcher]',
    'agent_request_completed(model_call) [researcher] stop',
    'subagent_stopped [researcher] completed',
    'tool_execution_completed main: research c1',
    ...MODEL_ENDS,
  ),
  aborted: [
    ...BEGIN,
    'agent_request_completed(turn) main: failed: This operation was aborted aborted',
    'session_completed',
  ],
  failed: [
    ...BEGIN,
    'agent_request_started(model_call) main:',
    'agent_request_completed(model_call) main: failed: the model is down error',
    'agent_request_completed(turn) main: failed: the model is down error',
    'session_completed',
  ],
}
