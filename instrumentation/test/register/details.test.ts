import { describe, expect, it } from 'vitest'
import { type AgentRun, runAgent } from './run-agent.ts'

const agent = (library: string) => new URL(`../${library}/agent.mjs`, import.meta.url)
const CLIENT = { AGENTIC_HOOKS_SESSION_ID: 'client' }
const ANY_ID = expect.stringMatching(/^[\w-]{36}$/)
const ANY_DURATION = expect.any(Number)

/** The data of a scenario's events of one type. */
function dataOf({ events }: AgentRun, sessionId: string, eventType: string, scope?: string) {
  return events
    .filter((event) => event.sessionId === sessionId && event.eventType === eventType)
    .map(({ data }) => data)
    .filter((data) => scope === undefined || data.scope === scope)
}

describe('what events carry', () => {
  it('is the input, the response and the time of a tool, under its call id (AI SDK)', async () => {
    const run = await runAgent(agent('ai'))
    const tool = { framework: 'ai', agent_name: 'main', tool_name: 'weather', tool_use_id: 'c1' }
    expect(dataOf(run, 'succeeds', 'tool_execution_started')).toEqual([
      { ...tool, tool_input: { city: 'Rome' } },
    ])
    expect(dataOf(run, 'succeeds', 'tool_execution_completed')).toEqual([
      { ...tool, success: true, duration_ms: ANY_DURATION, tool_response: { celsius: 20 } },
    ])
    const [first, second] = dataOf(run, 'succeeds', 'agent_request_completed', 'model_call')
    expect(first).toMatchObject({
      request_id: ANY_ID,
      provider: 'mock',
      model: 'mock-1',
      stop_reason: 'tool-calls',
      usage: { input_tokens: 3, output_tokens: 5, cache_read_input_tokens: 2, reasoning_output_tokens: 1 },
    })
    expect(second).toMatchObject({ output: [{ type: 'text', text: 'sunny' }] })
    const [asked, told] = dataOf(run, 'succeeds', 'agent_request_started', 'model_call')
    expect(asked?.input).toEqual([{ role: 'user', content: 'go' }])
    expect(told?.input).toEqual([expect.objectContaining({ role: 'tool' })])
    const [turn] = dataOf(run, 'succeeds', 'agent_request_completed', 'turn')
    expect(turn).toMatchObject({ response: 'sunny', usage: { input_tokens: 6, output_tokens: 10 } })
  })

  it('is the same of a streamed answer (AI SDK)', async () => {
    const run = await runAgent(agent('ai'))
    const [first] = dataOf(run, 'streamed', 'agent_request_completed', 'model_call')
    expect(first).toMatchObject({ usage: { input_tokens: 3, output_tokens: 5 }, stop_reason: 'tool-calls' })
    expect(dataOf(run, 'streamed', 'agent_request_started', 'model_call')[0]).toMatchObject({
      streaming: true,
    })
  })

  it('joins a nested agent to its parent (OpenAI Agents)', async () => {
    const run = await runAgent(agent('openai-agents'))
    const [started] = dataOf(run, 'nested', 'subagent_started')
    expect(started).toEqual({
      framework: 'openai-agents',
      agent_id: ANY_ID,
      agent_name: 'researcher',
      parent_tool_use_id: 'c1',
    })
    const inner = run.events.filter(({ data }) => data.tool_use_id === 's1')
    expect(inner.map(({ data }) => data.agent_id)).toEqual([started?.agent_id, started?.agent_id])
    // Each counts its own model calls.
    expect(dataOf(run, 'nested', 'subagent_stopped')[0]).toMatchObject({ usage: { input_tokens: 6 } })
    expect(dataOf(run, 'nested', 'agent_request_completed', 'turn')[0]).toMatchObject({
      usage: { input_tokens: 6 },
    })
    expect(dataOf(run, 'handedOff', 'agent_handoff')).toEqual([
      { framework: 'openai-agents', agent_name: 'main', from_agent: 'main', to_agent: 'expert' },
    ])
  })

  it('is what the model and its provider say (LangChain)', async () => {
    const run = await runAgent(agent('langchain'))
    const [, last] = dataOf(run, 'succeeds', 'agent_request_completed', 'model_call')
    expect(last).toMatchObject({
      framework: 'langchain',
      response_model: 'mock-1',
      stop_reason: 'stop',
      usage: { input_tokens: 3, output_tokens: 5, total_tokens: 8, cache_read_input_tokens: 2 },
      output: { content: 'sunny' },
    })
    expect(dataOf(run, 'succeeds', 'tool_execution_completed')[0]).toMatchObject({ tool_response: 'sunny' })
  })

  it('tells the sides of a tool server apart (MCP)', async () => {
    const run = await runAgent(agent('mcp'), { env: CLIENT })
    const client = dataOf(run, 'client', 'tool_execution_completed')
    expect(client[0]).toMatchObject({ mcp_side: 'client', mcp_server: 'near', tool_response: 'sunny' })
    expect(client.filter(({ mcp_server }) => mcp_server === 'remote')).toHaveLength(1)
    expect(dataOf(run, 'server', 'tool_execution_completed')).toEqual([
      expect.objectContaining({ mcp_side: 'server', mcp_server: 'remote', tool_response: 'sunny' }),
    ])
    const nested = client.find(({ parent_tool_use_id }) => parent_tool_use_id !== undefined)
    expect(nested).toMatchObject({ tool_name: 'weather' })
    expect(client.find(({ tool_use_id }) => tool_use_id === nested?.parent_tool_use_id)?.tool_name).toBe(
      'ask',
    )
  })

  it.each([
    ['openai', 'stop', 'gpt-x', { total_tokens: 8, cache_read_input_tokens: 2, reasoning_output_tokens: 1 }],
    ['anthropic', 'end_turn', 'claude-x', { cache_read_input_tokens: 2, cache_creation_input_tokens: 1 }],
  ])('is alike for an answer and for its stream (%s)', async (library, stop_reason, model, tokens) => {
    const run = await runAgent(agent(library), { env: CLIENT })
    const completed = dataOf(run, 'client', 'agent_request_completed')
    const texts = completed.filter((data) => data.stop_reason === stop_reason)
    expect(texts.length).toBeGreaterThan(2)
    for (const data of texts) {
      expect(data).toMatchObject({
        provider: library,
        model,
        response_model: `${model}-1`,
        usage: { input_tokens: 3, output_tokens: 5, ...tokens },
      })
      expect(JSON.stringify(data.output)).toContain('hi there')
    }
    const toolCalls = completed.filter((data) => /tool/.test(String(data.stop_reason)))
    for (const { output } of toolCalls) expect(JSON.stringify(output)).toContain('weather')
    expect(toolCalls.length).toBeGreaterThan(1)
    const insideTools = completed.filter(({ parent_tool_use_id }) => parent_tool_use_id !== undefined)
    const [started] = dataOf(run, 'client', 'tool_execution_started').slice(-1)
    expect(insideTools.map((data) => data.parent_tool_use_id)).toEqual([started?.tool_use_id])
  })
})
