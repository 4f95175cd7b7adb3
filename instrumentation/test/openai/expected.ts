import type { Expected } from '../register/library.ts'

const STARTED = 'agent_request_started(model_call)'
const COMPLETED = 'agent_request_completed(model_call)'
const FAILED = `${COMPLETED} failed: 400 the model is down error`
const LEFT = `${COMPLETED} failed: The stream was left aborted`

function runsTool(...events: string[]): string[] {
  return [
    STARTED,
    `${COMPLETED} tool_calls`,
    'tool_execution_started weather',
    ...events,
    STARTED,
    `${COMPLETED} stop`,
  ]
}

/** By scenario, in the order in which they are played. */
const SCENARIOS = {
  answers: [STARTED, `${COMPLETED} stop`],
  asksForTool: [STARTED, `${COMPLETED} tool_calls`],
  streams: [STARTED, `${COMPLETED} stop`],
  streamsTool: [STARTED, `${COMPLETED} tool_calls`],
  helper: [STARTED, `${COMPLETED} stop`],
  runsTools: runsTool('tool_execution_completed weather'),
  // The runner gives up with the error.
  toolThrows: [
    STARTED,
    `${COMPLETED} tool_calls`,
    'tool_execution_started weather',
    'tool_execution_completed weather failed: no such city',
  ],
  toolAsksModel: runsTool(STARTED, `${COMPLETED} stop`, 'tool_execution_completed weather'),
  responds: [STARTED, `${COMPLETED} completed`],
  respondsInStream: [STARTED, `${COMPLETED} completed`],
  parallel: [STARTED, STARTED, `${COMPLETED} stop`, FAILED],
  fails: [STARTED, FAILED],
  aborted: [STARTED, LEFT],
  left: [STARTED, LEFT],
  raw: [STARTED, COMPLETED],
  withResponse: [STARTED, `${COMPLETED} stop`],
}

export const expected: Expected = {
  client: ['session_started', ...Object.values(SCENARIOS).flat(), 'session_completed'],
}
