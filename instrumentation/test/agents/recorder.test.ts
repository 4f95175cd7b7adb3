import { randomUUID } from 'node:crypto'
import type { HookEvent } from '@agentic-hooks/events'
import { describe, expect, it } from 'vitest'
import { AgentRecorder, type RecorderOptions } from '../../src/agents/recorder.ts'
import { sessions } from '../../src/agents/sessions.ts'
import { insideTool, scopeStorage } from '../../src/scope.ts'

function setUp(options: Partial<RecorderOptions> = {}) {
  const events: HookEvent[] = []
  const emitter = { emit: (event: HookEvent) => events.push(event) }
  const recorder = new AgentRecorder({ framework: 'test', emitter, captureContent: true, ...options })
  const conversationId = randomUUID()
  return { recorder, scope: recorder.scope({ conversationId }), conversationId, events }
}

const typesOf = (events: readonly HookEvent[]) => events.map(({ eventType }) => eventType)

describe('the session of a call', () => {
  it('is what the resolver says, before all else', () => {
    const { recorder } = setUp({ resolveSessionId: ({ conversationId }) => `resolved-${conversationId}` })
    expect(recorder.scope({ conversationId: 'c1' }).sessionId).toBe('resolved-c1')
  })

  it('is the conversation of the library, before that of the code around', () => {
    const { recorder, conversationId } = setUp()
    scopeStorage.run({ sessionId: 'around' }, () => {
      expect(recorder.scope({ conversationId }).sessionId).toBe(conversationId)
      expect(recorder.scope().sessionId).toBe('around')
    })
  })

  it("is that of the application's own session, before the process's", () => {
    const { recorder } = setUp()
    scopeStorage.run({ sessionId: 'mine' }, () => expect(recorder.scope().sessionId).toBe('mine'))
    expect(recorder.scope().sessionId).toBe(sessions.processSessionId)
  })
})

describe('an operation', () => {
  it('is completed once, whoever tells of its end', () => {
    const { recorder, scope, events } = setUp()
    const tool = recorder.tool(scope, { name: 'work', id: 't1' })
    tool.complete({ tool_response: 'done' })
    tool.fail(new Error('late'))
    tool.abandon()
    expect(typesOf(events)).toEqual(['session_started', 'tool_execution_started', 'tool_execution_completed'])
    expect(events[2]?.data).toMatchObject({ success: true, tool_response: 'done' })
  })

  it('names its error and how long it took', () => {
    const { recorder, scope, events } = setUp()
    recorder.tool(scope, { name: 'work', id: 't1' }).fail(new RangeError('too far'))
    expect(events.at(-1)?.data).toEqual({
      framework: 'test',
      tool_name: 'work',
      tool_use_id: 't1',
      success: false,
      error: 'too far',
      error_type: 'RangeError',
      duration_ms: expect.any(Number),
    })
  })

  it.each([
    ['text', 'text', 'string'],
    [undefined, 'undefined', 'undefined'],
    [{ message: 'odd' }, 'odd', 'Error'],
  ])('takes %j for an error', (thrown, error, error_type) => {
    const { recorder, scope, events } = setUp()
    recorder.modelCall(scope, {}).fail(thrown)
    expect(events.at(-1)?.data).toMatchObject({ error, error_type })
  })

  it('that is open when its session ends is completed before it', () => {
    const { recorder, scope, conversationId, events } = setUp()
    recorder.turn(scope)
    recorder.tool(scope, { name: 'work', id: 't1' })
    recorder.completeSession(conversationId, 'closed')
    expect(typesOf(events).slice(-3)).toEqual([
      'tool_execution_completed',
      'agent_request_completed',
      'session_completed',
    ])
    expect(events.at(-3)?.data).toMatchObject({ success: false, error_type: 'abandoned' })
    expect(events.at(-1)?.data).toMatchObject({ reason: 'closed' })
  })

  it('says which tool it runs in, and whose subagent it is', () => {
    const { recorder, events } = setUp()
    const main = recorder.scope({ conversationId: randomUUID() }, { id: 'a1', name: 'main' })
    scopeStorage.run(insideTool(main, { name: 'ask', id: 't1' }), () => {
      recorder.subagent(recorder.scope({}, { id: 'a2', name: 'researcher' }))
    })
    expect(events.at(-1)?.data).toEqual({
      framework: 'test',
      agent_id: 'a2',
      agent_name: 'researcher',
      parent_agent_id: 'a1',
      parent_tool_use_id: 't1',
    })
  })
})

describe('content', () => {
  it('is left out where it is not to be captured, and nothing else is', () => {
    const { recorder, scope, events } = setUp({ captureContent: false })
    recorder.promptSubmitted(scope, 'a secret')
    recorder
      .modelCall(scope, { model: 'm1', input: 'a secret' })
      .complete({ output: recorder.content('a secret') })
    recorder.tool(scope, { name: 'work', input: 'a secret' }).complete()
    recorder.toolBlocked(scope, { name: 'work', input: 'a secret' }, undefined)
    expect(JSON.stringify(events)).not.toContain('a secret')
    expect(events.find(({ eventType }) => eventType === 'tool_blocked')?.data?.reason).toBe('not approved')
  })
})

describe('sessions', () => {
  it('make room for new ones, the one idle longest first', () => {
    const { recorder, events } = setUp()
    const scopes = Array.from({ length: 10_001 }, (_, n) => recorder.scope({ conversationId: `many-${n}` }))
    for (const scope of scopes.slice(0, 10_000)) recorder.event(scope, 'custom', {})
    recorder.event(scopes[0]!, 'custom', {})
    recorder.event(scopes[10_000]!, 'custom', {})
    const completed = events.filter(({ eventType }) => eventType === 'session_completed')
    expect(completed.map(({ sessionId }) => sessionId)).toContain('many-1')
    expect(completed.map(({ sessionId }) => sessionId)).not.toContain('many-0')
  })

  it('open again with the next event after their end', () => {
    const { recorder, scope, conversationId, events } = setUp()
    recorder.event(scope, 'custom', {})
    recorder.completeSession(conversationId, 'closed')
    recorder.event(scope, 'custom', {})
    expect(typesOf(events).filter((type) => type === 'session_started')).toHaveLength(2)
  })
})
