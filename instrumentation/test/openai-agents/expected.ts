import type { Expected } from '../register/library.ts'

const MODEL = ['agent_request_started(model_call) main:', 'agent_request_completed(model_call) main:']
const BEGIN = ['session_started', 'user_prompt_submitted main: "go"', 'agent_request_started(turn) main:']
const TOOL = ['tool_execution_started main: weather c1', 'tool_execution_completed main: weather c1']
/** What the SDK makes of a tool's error; the error itself it keeps to itself. */
const TOOL_ERROR = 'An error occurred while running the tool. Please try again.'

function turn(...events: string[]): string[] {
  return [...BEGIN, ...events, 'agent_request_completed(turn) main: completed', 'session_completed']
}

export const expected: Expected = {
  succeeds: turn(...MODEL, ...TOOL, ...MODEL),
  throws: turn(
    ...MODEL,
    'tool_execution_started main: weather c1',
    `tool_execution_completed main: weather c1 failed: ${TOOL_ERROR}`,
    ...MODEL,
  ),
  denied: turn(
    ...MODEL,
    'permission_requested main: erase c1',
    'agent_request_completed(turn) main: interrupted',
    'agent_request_started(turn) main:',
    'tool_blocked main: erase c1 because the user said no',
    ...MODEL,
  ),
  parallel: turn(
    ...MODEL,
    'tool_execution_started main: weather c1',
    'tool_execution_started main: weather c2',
    'tool_execution_completed main: weather c1',
    `tool_execution_completed main: weather c2 failed: ${TOOL_ERROR}`,
    ...MODEL,
  ),
  streamed: turn(...MODEL, ...TOOL, ...MODEL),
  nested: turn(
    ...MODEL,
    'tool_execution_started main: research c1',
    'subagent_started [researcher]',
    'agent_request_started(model_call) [researcher]',
    'agent_request_completed(model_call) [researcher]',
    'tool_execution_started [researcher] weather s1',
    'tool_execution_completed [researcher] weather s1',
    'agent_request_started(model_call) [researcher]',
    'agent_request_completed(model_call) [researcher]',
    'subagent_stopped [researcher] completed',
    'tool_execution_completed main: research c1',
    ...MODEL,
  ),
  handedOff: turn(
    ...MODEL,
    'agent_handoff main:',
    'agent_request_started(model_call) expert:',
    'agent_request_completed(model_call) expert:',
  ),
  aborted: [
    ...BEGIN,
    'agent_request_started(model_call) main:',
    'agent_request_completed(model_call) main: failed: The stream was left aborted',
    'agent_request_completed(turn) main: failed: The run was aborted aborted',
    'session_completed',
  ],
  failed: [
    ...BEGIN,
    'agent_request_started(model_call) main:',
    'agent_request_completed(model_call) main: failed: the model is down',
    'agent_request_completed(turn) main: failed: the model is down error',
    'session_completed',
  ],
  conversation: turn(...MODEL),
}
