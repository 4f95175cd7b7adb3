import { expected as langChain } from '../../instrumentation/test/langchain/expected.ts'
import type { Expected } from '../../instrumentation/test/register/library.ts'

const STARTED = 'agent_request_started(model_call)'
const COMPLETED = 'agent_request_completed(model_call)'
const FAILED = `${COMPLETED} failed: {"error":{"code":400,"message":"the model is down"}} error`

/** By scenario, in the order in which they are played. */
const GOOGLE_SCENARIOS = {
  answers: [STARTED, `${COMPLETED} STOP`],
  asksForTool: [STARTED, `${COMPLETED} STOP`],
  streams: [STARTED, `${COMPLETED} STOP`],
  chats: [STARTED, `${COMPLETED} STOP`],
  parallel: [STARTED, STARTED, `${COMPLETED} STOP`, FAILED],
  fails: [STARTED, FAILED],
  left: [STARTED, `${COMPLETED} failed: The stream was left aborted`],
  aborted: [STARTED, `${COMPLETED} failed: This operation was aborted aborted`],
}

export const googleGenAi: Expected = {
  client: ['session_started', ...Object.values(GOOGLE_SCENARIOS).flat(), 'session_completed'],
}

const MODEL = ['agent_request_started(model_call) main:', 'agent_request_completed(model_call) main:']
const BEGIN = ['session_started', 'user_prompt_submitted main: "go"', 'agent_request_started(turn) main:']
const END = ['agent_request_completed(turn) main: completed', 'session_completed']
const TOOL = ['tool_execution_started main: weather c1', 'tool_execution_completed main: weather c1']

/** The agents of LangChain's createAgent report as those of the plain library, and what only they have. */
const { succeeds: _succeeds, streamed: _streamed, left: _left, ...plain } = langChain
const withoutStopReason = (line: string) => line.replace(/(\(model_call\) .*:|\]) stop$/, '$1')

export const langGraph: Expected = {
  ...Object.fromEntries(Object.entries(plain).map(([name, events]) => [name, events.map(withoutStopReason)])),
  succeeds: [...BEGIN, ...MODEL, ...TOOL, ...MODEL, ...END],
  denied: [
    ...BEGIN,
    ...MODEL,
    'permission_requested main: erase c1',
    'agent_request_completed(turn) main: interrupted',
    'hook_decision main: reject because the user said no',
    'agent_request_started(turn) main:',
    'tool_blocked main: erase c1 because the user said no',
    ...MODEL,
    ...END,
  ],
  streamed: [...BEGIN, ...MODEL, ...TOOL, ...MODEL, ...END],
  aborted: [
    ...BEGIN,
    ...MODEL,
    'tool_execution_started main: slow c1',
    'tool_execution_completed main: slow c1 failed: This operation was aborted',
    'agent_request_completed(turn) main: failed: Abort aborted',
    'session_completed',
  ],
}

const QUERY_BEGIN = (name: string) => [
  'session_started',
  `user_prompt_submitted "${name}"`,
  'agent_request_started(turn)',
]
const QUERY_END = ['agent_stopped', 'agent_request_completed(turn) end_turn', 'session_completed']
const BASH = 'tool_execution_started Bash c1'

/** By the prompt of each session; without `agent_initialized`, which comes when the application reads it. */
export const claudeAgentSdk: Expected = {
  succeeds: [...QUERY_BEGIN('succeeds'), BASH, 'tool_execution_completed Bash c1', ...QUERY_END],
  throws: [
    ...QUERY_BEGIN('throws'),
    BASH,
    'tool_execution_completed Bash c1 failed: Exit code 7',
    ...QUERY_END,
  ],
  denied: [
    ...QUERY_BEGIN('denied'),
    BASH,
    'permission_requested Bash c1',
    'hook_decision Bash c1 deny because the user said no',
    'tool_blocked Bash c1 because the user said no',
    ...QUERY_END,
  ],
  blockedByHook: [
    ...QUERY_BEGIN('blockedByHook'),
    BASH,
    'hook_decision Bash c1 deny because no secrets',
    'tool_blocked Bash c1 because no secrets',
    ...QUERY_END,
  ],
  parallel: [
    ...QUERY_BEGIN('parallel'),
    BASH,
    'tool_execution_completed Bash c1',
    'tool_execution_started Bash c2',
    'tool_execution_completed Bash c2 failed: Exit code 7',
    ...QUERY_END,
  ],
  streamed: [...QUERY_BEGIN('streamed'), BASH, 'tool_execution_completed Bash c1', ...QUERY_END],
  nested: [
    ...QUERY_BEGIN('nested'),
    'tool_execution_started Agent c1',
    'subagent_started [general-purpose]',
    'subagent_stopped [general-purpose]',
    'tool_execution_completed Agent c1',
    ...QUERY_END,
  ],
  aborted: [
    ...QUERY_BEGIN('aborted'),
    BASH,
    'tool_execution_completed Bash c1 failed: Claude Code process aborted by user aborted',
    'agent_request_completed(turn) failed: Claude Code process aborted by user aborted',
    'session_completed',
  ],
  failed: [
    ...QUERY_BEGIN('failed'),
    'agent_stopped',
    'agent_request_completed(turn) failed: API Error: 400 the model is down stop_sequence',
    'session_completed',
  ],
}
