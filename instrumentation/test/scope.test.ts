import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AgentRecorder } from '../src/agents/recorder.ts'
import { sessions } from '../src/agents/sessions.ts'
import { HookClient, InMemoryExporter, instrumentTool } from '../src/index.ts'

let exporter: InMemoryExporter
let client: HookClient

beforeEach(() => {
  exporter = new InMemoryExporter()
  client = new HookClient({ exporter })
})
afterEach(() => client.close())

/** Without those that open a library's session. */
async function emitted() {
  await client.flush()
  return exporter.events.filter(({ eventType }) => eventType !== 'session_started')
}

const recorderOf = (emitter: HookClient) =>
  new AgentRecorder({ framework: 'test', emitter, captureContent: true })

/** An instrumented library's agent, as far as its scope is concerned. */
function runAgent(id: string): void {
  const recorder = recorderOf(client)
  recorder.subagent(recorder.scope({}, { id, name: 'researcher' })).complete()
}

describe('an event that the application emits', () => {
  it("inside an instrumented tool belongs to the tool's session, agent and call", async () => {
    const recorder = recorderOf(client)
    const work = instrumentTool(
      async () => {
        await null
        client.emit({ eventType: 'custom', data: { n: 1 } })
      },
      { name: 'work', client },
    )
    await client.session('s1', { workflowId: 'w', agentId: 'a1', agentName: 'planner' }).run(() => work())
    const [started, custom] = await emitted()
    expect(custom).toMatchObject({ eventType: 'custom', sessionId: 's1', workflowId: 'w' })
    expect(custom?.data).toEqual({
      agent_id: 'a1',
      agent_name: 'planner',
      parent_tool_use_id: started?.data.tool_use_id,
      n: 1,
    })
    expect(recorder.scope().sessionId).toBe(sessions.processSessionId)
  })

  it("inside an instrumented tool without any session of the application's belongs to the process's", async () => {
    instrumentTool(() => client.emit({ eventType: 'custom' }), { name: 'work', client })()
    const [, custom] = await emitted()
    expect(custom?.sessionId).toBe(sessions.processSessionId)
  })

  it('in a part of the session keeps the tool call around, and in another session only that', async () => {
    const session = client.session('s1', { workflowId: 'w', agentId: 'a1' })
    session.tool('outer', {}, () => {
      client.session('s1', { phaseId: 'p' }).emit({ eventType: 'custom' })
      client.session('s2').run(() => client.emit({ eventType: 'custom' }))
    })
    const [outer, same, other] = await emitted()
    const parent_tool_use_id = outer?.data.tool_use_id
    expect(same).toMatchObject({ sessionId: 's1', workflowId: 'w', phaseId: 'p' })
    expect(same?.data).toEqual({ agent_id: 'a1', parent_tool_use_id })
    expect(other).toMatchObject({ sessionId: 's2', workflowId: null })
    expect(other?.data).toEqual({ parent_tool_use_id })
  })
})

describe('an agent of an instrumented library', () => {
  it.each([
    ['session.tool', () => client.session('s1', { agentId: 'a1' }).tool('ask', {}, () => runAgent('a2'))],
    [
      'client.tool',
      () => client.session('s1', { agentId: 'a1' }).run(() => client.tool('ask', {}, () => runAgent('a2'))),
    ],
  ])('inside %s is reported as a child of that call, in its session', async (_name, run) => {
    run()
    const [ask, started, stopped] = await emitted()
    for (const event of [started, stopped]) {
      expect(event?.sessionId).toBe('s1')
      expect(event?.data).toMatchObject({
        agent_id: 'a2',
        parent_agent_id: 'a1',
        parent_tool_use_id: ask?.data.tool_use_id,
      })
    }
  })

  it("inside client.tool without a session is a child of that call, in the process's session", async () => {
    await client.tool('ask', {}, async () => {
      await null
      runAgent('a2')
    })
    const [ask, started] = await emitted()
    expect([ask?.sessionId, started?.sessionId]).toEqual(['', sessions.processSessionId])
    expect(started?.data.parent_tool_use_id).toBe(ask?.data.tool_use_id)
  })

  it('has events with its own ids, wherever the code is that tells of them', async () => {
    const recorder = recorderOf(client)
    const agent = client
      .session('s1', { workflowId: 'w1' })
      .run(() => recorder.subagent(recorder.scope({}, { id: 'a2' })))
    client.session('s2', { workflowId: 'w2', agentId: 'b1', agentName: 'other' }).run(() => agent.complete())
    const [, stopped] = await emitted()
    expect(stopped).toMatchObject({ sessionId: 's1', workflowId: 'w1', data: { agent_id: 'a2' } })
    expect(stopped?.data).not.toHaveProperty('agent_name')
  })

  it('ends its session with the ids of that session, wherever the code is that ends it', async () => {
    const recorder = recorderOf(client)
    client.session('ended', { workflowId: 'w1' }).run(() => runAgent('a2'))
    client
      .session('s2', { workflowId: 'w2', agentId: 'b1' })
      .run(() => recorder.completeSession('ended', 'closed'))
    const completed = (await emitted()).at(-1)
    expect(completed).toMatchObject({ eventType: 'session_completed', sessionId: 'ended', workflowId: 'w1' })
    expect(completed?.data).not.toHaveProperty('agent_id')
  })
})

describe('a tool of the application', () => {
  it('that is open when its session ends is completed before it', async () => {
    const recorder = recorderOf(client)
    const { promise, resolve } = Promise.withResolvers<void>()
    const running = client.session('unfinished').run(() => {
      runAgent('a1')
      return client.tool('wait', {}, () => promise)
    })
    recorder.completeSession('unfinished', 'closed')
    resolve()
    await running
    const ends = (await emitted()).slice(-2)
    expect(ends.map(({ eventType }) => eventType)).toEqual(['tool_execution_completed', 'session_completed'])
    expect(ends[0]?.data).toMatchObject({ tool_name: 'wait', success: false, error_type: 'abandoned' })
  })

  it('may return what is only like a promise', async () => {
    // biome-ignore lint/suspicious/noThenProperty: it is what query builders return
    const query = { then: (resolve: (rows: number[]) => unknown) => Promise.resolve([1]).then(resolve) }
    const instrumented = instrumentTool(() => query, { name: 'query', client })
    expect(await client.tool('query', {}, () => query)).toEqual([1])
    expect(await instrumented()).toEqual([1])
    const completed = (await emitted()).filter(({ eventType }) => eventType === 'tool_execution_completed')
    expect(completed.map(({ data }) => data.tool_response)).toEqual([[1], [1]])
  })
})

describe('copies of this package in one process', () => {
  it('share the scope and the sessions', async () => {
    vi.resetModules()
    const copy = await import('../src/index.ts')
    const copied = await import('../src/agents/sessions.ts')
    expect(copy.HookClient).not.toBe(HookClient)
    expect(copied.sessions).toBe(sessions)
    await using other = new copy.HookClient({ exporter })
    client.session('s1').tool('work', {}, () => other.emit({ eventType: 'custom' }))
    await other.flush()
    const events = await emitted()
    const custom = events.find(({ eventType }) => eventType === 'custom')
    const work = events.find(({ data }) => data.tool_name === 'work')
    expect(custom).toMatchObject({ sessionId: 's1', data: { parent_tool_use_id: work?.data.tool_use_id } })
  })

  it('of version 0.1.0, which kept the scope of a session apart, share it too', async () => {
    const key = Symbol.for('agentic-hooks.ambient')
    const globals = globalThis as unknown as Record<symbol, AsyncLocalStorage<object> | undefined>
    globals[key] = new AsyncLocalStorage()
    const scope = { sessionId: 'old', workflowId: 'w', data: { agent_id: 'a1', unknown: 1 }, unknown: 2 }
    globals[key].run(scope, () => {
      client.emit({ eventType: 'custom' })
      runAgent('a2')
    })
    delete globals[key]
    const [custom, agent] = await emitted()
    expect(custom).toMatchObject({ sessionId: 'old', workflowId: 'w', data: { agent_id: 'a1' } })
    expect(agent).toMatchObject({ sessionId: 'old', data: { agent_id: 'a2', parent_agent_id: 'a1' } })
  })

  it('ignore what another version adds to a scope', async () => {
    const key = Symbol.for('agentic-hooks.scope')
    const storage = (globalThis as unknown as Record<symbol, AsyncLocalStorage<object>>)[key]!
    storage.run({ sessionId: 'new', toolUseId: 't1', unknown: 1 }, () => client.emit({ eventType: 'custom' }))
    expect(await emitted()).toMatchObject([{ sessionId: 'new', data: { parent_tool_use_id: 't1' } }])
  })
})
