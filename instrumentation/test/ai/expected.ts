import type { Expected } from '../register/library.ts'

const ASKED_MODEL = [
  'agent_request_started(model_call) main:',
  'agent_request_completed(model_call) main: tool-calls',
]
const TOLD_MODEL = [
  'agent_request_started(model_call) main:',
  'agent_request_completed(model_call) main: stop',
]

/** A turn that the model ends of itself. */
function turn(...events: string[]): string[] {
  return [
    'session_started',
    'user_prompt_submitted main: "go"',
    'agent_request_started(turn) main:',
    ...events,
    'agent_request_completed(turn) main: stop',
    'session_completed',
  ]
}

const TOOL = ['tool_execution_started main: weather c1', 'tool_execution_completed main: weather c1']

export const expected: Expected = {
  succeeds: turn(...ASKED_MODEL, ...TOOL, ...TOLD_MODEL),
  throws: turn(
    ...ASKED_MODEL,
    'tool_execution_started main: weather c1',
    'tool_execution_completed main: weather c1 failed: no such city',
    ...TOLD_MODEL,
  ),
  denied: turn(...ASKED_MODEL, 'tool_blocked main: erase c1 because read-only', ...TOLD_MODEL),
  asked: turn(
    ...ASKED_MODEL,
    'permission_requested main: erase c1',
    'agent_request_completed(turn) main: tool-calls',
    'agent_request_started(turn) main:',
    'tool_blocked main: erase c1 because the user said no',
    ...TOLD_MODEL,
  ),
  parallel: turn(
    ...ASKED_MODEL,
    'tool_execution_started main: weather c1',
    'tool_execution_started main: weather c2',
    'tool_execution_completed main: weather c1',
    'tool_execution_completed main: weather c2 failed: no such city',
    ...TOLD_MODEL,
  ),
  streamed: turn(...ASKED_MODEL, ...TOOL, ...TOLD_MODEL),
  nested: turn(
    ...ASKED_MODEL,
    'tool_execution_started main: research c1',
    'subagent_started [research]',
    'agent_request_started(model_call) [research]',
    'agent_request_completed(model_call) [research] tool-calls',
    'tool_execution_started [research] weather s1',
    'tool_execution_completed [research] weather s1',
    'agent_request_started(model_call) [research]',
    'agent_request_completed(model_call) [research] stop',
    'subagent_stopped [research] stop',
    'tool_execution_completed main: research c1',
    ...TOLD_MODEL,
  ),
  aborted: [
    'session_started',
    'user_prompt_submitted main: "go"',
    'agent_request_started(turn) main:',
    'agent_request_started(model_call) main:',
    'agent_request_completed(model_call) main: failed: This operation was aborted aborted',
    'agent_request_completed(turn) main: failed: This operation was aborted aborted',
    'session_completed',
  ],
  failed: [
    'session_started',
    'user_prompt_submitted main: "go"',
    'agent_request_started(turn) main:',
    'agent_request_started(model_call) main:',
    'agent_request_completed(model_call) main: failed: the model is down',
    'agent_request_completed(turn) main: failed: the model is down error',
    'session_completed',
  ],
}
