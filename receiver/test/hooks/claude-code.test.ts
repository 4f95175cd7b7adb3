import { readFileSync } from 'node:fs'
import { InvalidEventError, toHookEvent } from '@agentic-hooks/events'
import { expect, it } from 'vitest'
import { UndecodableError } from '../../src/decode/decoded-request.ts'
import { claudeCode } from '../../src/hooks/claude-code.ts'
import { decodeHook } from '../../src/hooks/hook-mapping.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000
const SESSION_ID = '00dce120-a259-44b5-bebd-43a8ec4c8ee1'

const bodies = readFileSync(new URL('../../fixtures/claude-code/hooks.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')

function decode(body: unknown) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return decodeHook(claudeCode)(Buffer.from(text), RECEIVED_AT_MICROS).batch.events.map(toHookEvent)
}

function typesOf(hook_event_name: string, fields = {}) {
  return decode({ hook_event_name, session_id: 's', ...fields }).map(({ eventType }) => eventType)
}

it('makes events of a whole captured session, in order', () => {
  const events = bodies.flatMap(decode)
  expect(events.map(({ eventType, data }) => [eventType, data.tool_use_id ?? null])).toEqual([
    ['session_started', null],
    ['user_prompt_submitted', null],
    ['agent_request_started', null],
    ['tool_execution_started', 'toolu_1'],
    ['tool_execution_completed', 'toolu_1'],
    ['tool_execution_started', 'toolu_2'],
    ['permission_requested', null],
    ['tool_execution_started', 'toolu_3'],
    ['permission_requested', null],
    ['post_tool_batch', null],
    ['agent_request_completed', null],
    ['session_completed', null],
  ])
  expect(new Set(events.map(({ sessionId }) => sessionId))).toEqual(new Set([SESSION_ID]))
  expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(events.length)
})

it('keeps every payload whole', () => {
  for (const body of bodies) expect(decode(body)[0]!.data).toMatchObject(JSON.parse(body))
})

it('says of a completed tool whether it succeeded', () => {
  const [completed] = decode({ hook_event_name: 'PostToolUse', session_id: 's', duration_ms: 36 })
  expect(completed).toMatchObject({
    eventType: 'tool_execution_completed',
    data: { success: true, duration_ms: 36 },
  })
  const [failed] = decode({ hook_event_name: 'PostToolUseFailure', session_id: 's', error: 'no such file' })
  expect(failed).toMatchObject({
    eventType: 'tool_execution_completed',
    data: { success: false, error: 'no such file' },
  })
})

it('opens a turn at the prompt and closes it when the agent stops', () => {
  const [, started] = decode({
    hook_event_name: 'UserPromptSubmit',
    session_id: 's',
    prompt_id: 'p',
    prompt: 'hi',
  })
  expect(started).toMatchObject({
    eventType: 'agent_request_started',
    sessionId: 's',
    data: { scope: 'turn', prompt_id: 'p' },
  })
  const [stopped] = decode({ hook_event_name: 'Stop', session_id: 's' })
  expect(stopped).toMatchObject({
    eventType: 'agent_request_completed',
    data: { scope: 'turn', success: true },
  })
  const [failed] = decode({ hook_event_name: 'StopFailure', session_id: 's', error: 'overloaded' })
  expect(failed).toMatchObject({
    eventType: 'agent_request_completed',
    data: { scope: 'turn', success: false },
  })
})

it.each([
  ['PermissionDenied', 'tool_blocked'],
  ['SubagentStart', 'subagent_started'],
  ['SubagentStop', 'subagent_stopped'],
  ['PostCompact', 'context_compacted'],
  ['Notification', 'system_notification'],
  ['TaskCompleted', 'task_completed'],
])('maps %s to %s', (name, eventType) => {
  expect(typesOf(name)).toEqual([eventType])
})

it('stores an event that it does not know under its own name in snake case', () => {
  expect(typesOf('PreModelSwitch')).toEqual(['pre_model_switch'])
  expect(typesOf('SomethingNewIn2027')).toEqual(['something_new_in2027'])
})

it.each(Object.getOwnPropertyNames(Object.prototype))(
  'takes %s for the name of an event like any other',
  (name) => {
    const [event] = decode({ hook_event_name: name, session_id: 's', kept: 1 })
    expect(event).toMatchObject({ eventType: expect.stringMatching(/^[a-z_]+$/), data: { kept: 1 } })
    expect(event!.eventType.replaceAll('_', '')).toBe(name.replaceAll('_', '').toLowerCase())
  },
)

it('gives an event the time of its receipt', () => {
  expect(decode({ hook_event_name: 'Stop', session_id: 's' })[0]!.timestampMicros).toBe(RECEIVED_AT_MICROS)
})

it('refuses what is no hook, and says why', () => {
  expect(() => decode('{')).toThrow(UndecodableError)
  expect(() => decode([])).toThrow(InvalidEventError)
  expect(() => decode({ session_id: 's' })).toThrow('hook_event_name: is required')
  expect(() => decode({ hook_event_name: 'Stop' })).toThrow('session_id: is required')
  expect(() => decode({ hook_event_name: 'Stop', session_id: 7 })).toThrow('session_id: must be a string')
})

it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
  'takes an unknown hook called %s for a custom type',
  (name) => {
    const body = `{"hook_event_name":${JSON.stringify(name)},"session_id":"s","__proto__":{"a":1}}`
    const [event] = decode(body)
    expect(event!.eventType).toBe(name === '__proto__' ? name : name.replace(/[A-Z]/g, '_$&').toLowerCase())
    expect(Object.keys(event!.data)).toEqual(['hook_event_name', 'session_id', '__proto__'])
  },
)

it('skips a byte order mark before the body', () => {
  expect(decode('\uFEFF{"hook_event_name":"Stop","session_id":"s"}')).toHaveLength(1)
})
