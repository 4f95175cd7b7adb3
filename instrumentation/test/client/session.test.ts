import { type ContextManager, context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HookClient, InMemoryExporter } from '../../src/index.ts'

let exporter: InMemoryExporter
let client: HookClient

beforeEach(() => {
  exporter = new InMemoryExporter()
  client = new HookClient({ exporter })
})
afterEach(() => client.close())

async function events() {
  await client.flush()
  return exporter.events
}

describe('a session', () => {
  it('fills in its ids, and an event keeps its own', async () => {
    const session = client.session('s1', { workflowId: 'w', phaseId: 'p', milestoneId: 'm' })
    session.emit({ eventType: 'custom' })
    session.emit({ eventType: 'custom', sessionId: 's2', phaseId: 'p2', data: { a: 1 } })
    expect(await events()).toMatchObject([
      { sessionId: 's1', workflowId: 'w', phaseId: 'p', milestoneId: 'm', data: {} },
      { sessionId: 's2', workflowId: 'w', phaseId: 'p2', milestoneId: 'm', data: { a: 1 } },
    ])
  })

  it('is inherited by whatever is emitted inside, across await and timers', async () => {
    await client.session('s1', { workflowId: 'w' }).run(async () => {
      await new Promise((resolve) => setImmediate(resolve))
      client.emit({ eventType: 'custom' })
    })
    client.emit({ eventType: 'custom' })
    expect(await events()).toMatchObject([
      { sessionId: 's1', workflowId: 'w' },
      { sessionId: '', workflowId: null },
    ])
  })

  it('does not leak into other sessions that run at the same time', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        client.session(`s${n}`).run(async () => {
          await new Promise((resolve) => setTimeout(resolve, n % 3))
          client.emit({ eventType: 'custom', data: { n } })
        }),
      ),
    )
    for (const { sessionId, data } of await events()) expect(sessionId).toBe(`s${data.n}`)
  })

  it('names the agent, and the agent that started it', async () => {
    const parent = client.session('s1', { agentId: 'a1', agentName: 'planner' })
    parent.emit({ eventType: 'custom' })
    parent.subagent('a2').emit({ eventType: 'custom', data: { x: 1 } })
    parent.with({ phaseId: 'p2' }).emit({ eventType: 'custom' })
    expect(await events()).toMatchObject([
      { phaseId: null, data: { agent_id: 'a1', agent_name: 'planner' } },
      { data: { agent_id: 'a2', parent_agent_id: 'a1', x: 1 } },
      { phaseId: 'p2', data: { agent_id: 'a1', agent_name: 'planner' } },
    ])
  })

  it('is emitted as a whole by record, and its result comes back', async () => {
    const result = await client.session('s1').record(
      async (session) => {
        client.emit({ eventType: 'custom' })
        return session.id
      },
      { source: 'test' },
    )
    expect(result).toBe('s1')
    expect(await events()).toMatchObject([
      { eventType: 'session_started', sessionId: 's1', data: { source: 'test' } },
      { eventType: 'custom', sessionId: 's1' },
      {
        eventType: 'session_completed',
        sessionId: 's1',
        data: { source: 'test', success: true, duration_ms: expect.any(Number) },
      },
    ])
  })
})

describe('tool', () => {
  it('emits started and completed with one id, and returns what the function returns', async () => {
    const sum = client.session('s1').tool('add', { a: 1, b: 2 }, ({ a, b }) => a + b)
    expect(sum).toBe(3)
    const [started, completed] = await events()
    expect(started).toMatchObject({
      eventType: 'tool_execution_started',
      sessionId: 's1',
      data: { tool_name: 'add', tool_input: { a: 1, b: 2 } },
    })
    expect(completed).toMatchObject({
      eventType: 'tool_execution_completed',
      sessionId: 's1',
      severity: 9,
      data: { tool_name: 'add', tool_response: 3, success: true, duration_ms: expect.any(Number) },
    })
    expect(completed!.data.tool_use_id).toBe(started!.data.tool_use_id)
  })

  it('tells of a failure as an error, and throws it on', async () => {
    const failure = new TypeError('no such file')
    expect(() =>
      client.tool('read', 'x', () => {
        throw failure
      }),
    ).toThrow(failure)
    await expect(client.tool('read', 'x', () => Promise.reject(failure))).rejects.toBe(failure)
    const completed = (await events()).filter(({ eventType }) => eventType === 'tool_execution_completed')
    expect(completed).toHaveLength(2)
    for (const { data, severity } of completed) {
      expect(severity).toBe(17)
      expect(data).toMatchObject({ success: false, error: { name: 'TypeError', message: 'no such file' } })
    }
  })

  it('inside a session belongs to it, as do the tools that it calls', async () => {
    await client.session('s1').run(() =>
      client.tool('outer', {}, async () => {
        await Promise.resolve()
        return client.tool('inner', {}, () => 'done')
      }),
    )
    const all = await events()
    expect(all.map(({ data }) => data.tool_name)).toEqual(['outer', 'inner', 'inner', 'outer'])
    expect(new Set(all.map(({ sessionId }) => sessionId))).toEqual(new Set(['s1']))
  })
})

it('takes the trace of the active span, with the flags that it has', async () => {
  const spanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
  const active = trace.setSpanContext(ROOT_CONTEXT, spanContext)
  const manager: ContextManager = {
    active: () => active,
    with: (_context, fn, self, ...args) => fn.apply(self as never, args),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  }
  context.setGlobalContextManager(manager)
  client.emit({ eventType: 'custom', sessionId: 's' })
  context.disable()
  client.emit({ eventType: 'custom', sessionId: 's' })
  expect(await events()).toMatchObject([
    { traceId: spanContext.traceId, spanId: spanContext.spanId, attributes: { flags: 1 } },
    { traceId: null, spanId: null, attributes: null },
  ])
})
