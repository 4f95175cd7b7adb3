import type { Expected } from '../register/library.ts'

const STARTED = 'agent_request_started(model_call)'
const COMPLETED = 'agent_request_completed(model_call)'
const ERROR = '400 {"error":{"type":"invalid_request_error","message":"the model is down"}}'
const FAILED = `${COMPLETED} failed: ${ERROR} error`
const LEFT = `${COMPLETED} failed: The stream was left aborted`
const TOO_LONG =
  'Streaming is required for operations that may take longer than 10 minutes. See https://platform.claude.com/docs/en/cli-sdks-libraries/sdks/typescript#long-requests for more details'

function runsTool(...events: string[]): string[] {
  return [
    STARTED,
    `${COMPLETED} tool_use`,
    'tool_execution_started weather c1',
    ...events,
    STARTED,
    `${COMPLETED} end_turn`,
  ]
}

/** By scenario, in the order in which they are played. */
const SCENARIOS = {
  answers: [STARTED, `${COMPLETED} end_turn`],
  streams: [STARTED, `${COMPLETED} end_turn`],
  streamsTool: [STARTED, `${COMPLETED} tool_use`],
  helper: [STARTED, `${COMPLETED} end_turn`],
  beta: [STARTED, `${COMPLETED} end_turn`],
  runsTools: runsTool('tool_execution_completed weather c1'),
  toolThrows: runsTool('tool_execution_completed weather c1 failed: no such city'),
  toolAsksModel: runsTool(STARTED, `${COMPLETED} end_turn`, 'tool_execution_completed weather c1'),
  parallel: [STARTED, STARTED, `${COMPLETED} end_turn`, FAILED],
  fails: [STARTED, FAILED],
  aborted: [STARTED, LEFT],
  left: [STARTED, LEFT],
  raw: [STARTED, COMPLETED],
  rejectedAtOnce: [STARTED, `${COMPLETED} failed: ${TOO_LONG} error`],
}

export const expected: Expected = {
  client: ['session_started', ...Object.values(SCENARIOS).flat(), 'session_completed'],
}
