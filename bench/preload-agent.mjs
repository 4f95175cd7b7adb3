// An agent with a library and one tool, which is called as often as the second argument says. It prints what its
// start, from the process's own, and each call took.
const [library, count] = process.argv.slice(2)
const calls = Number(count)
const BATCH = 50

const agents = {
  async ai() {
    const { generateText, isStepCount, tool } = await import('ai')
    const { MockLanguageModelV4 } = await import('ai/test')
    const { z } = await import('zod')
    const tools = { work: tool({ inputSchema: z.object({ n: z.number() }), execute: async ({ n }) => n }) }
    return async (batch) => {
      const content = numbers(batch).map((n) => ({
        type: 'tool-call',
        toolCallId: `c${n}`,
        toolName: 'work',
        input: `{"n":${n}}`,
      }))
      const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } }
      const model = new MockLanguageModelV4({
        doGenerate: async () => ({ content, finishReason: { unified: 'tool-calls' }, usage, warnings: [] }),
      })
      await generateText({ model, tools, prompt: 'go', stopWhen: isStepCount(1) })
    }
  },

  async langchain() {
    const { tool } = await import('@langchain/core/tools')
    const { z } = await import('zod')
    const work = tool(async ({ n }) => n, { name: 'work', schema: z.object({ n: z.number() }) })
    return async (batch) => {
      for (const n of numbers(batch))
        await work.invoke({ type: 'tool_call', id: `c${n}`, name: 'work', args: { n } })
    }
  },

  async mcp() {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js')
    const { InMemoryTransport } = await import('@modelcontextprotocol/sdk/inMemory.js')
    const { McpServer } = await import('@modelcontextprotocol/sdk/server/mcp.js')
    const server = new McpServer({ name: 'bench', version: '1.0.0' })
    server.registerTool('work', { description: 'Works' }, async () => ({
      content: [{ type: 'text', text: 'done' }],
    }))
    const client = new Client({ name: 'bench', version: '1.0.0' })
    const [clientSide, serverSide] = InMemoryTransport.createLinkedPair()
    await Promise.all([server.connect(serverSide), client.connect(clientSide)])
    return async (batch) => {
      for (const n of numbers(batch)) await client.callTool({ name: 'work', arguments: { n } })
    }
  },

  async 'openai-agents'() {
    const { Agent, Runner, setTracingDisabled, tool, Usage } = await import('@openai/agents')
    const { z } = await import('zod')
    setTracingDisabled(true)
    const work = tool({
      name: 'work',
      description: 'Works',
      parameters: z.object({ n: z.number() }),
      execute: async ({ n }) => `${n}`,
    })
    return async (batch) => {
      const asked = numbers(batch).map((n) => ({
        type: 'function_call',
        callId: `c${n}`,
        name: 'work',
        arguments: `{"n":${n}}`,
        status: 'completed',
      }))
      const done = [
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'done' }],
        },
      ]
      const outputs = [asked, done]
      const usage = new Usage({ requests: 1, inputTokens: 1, outputTokens: 1, totalTokens: 2 })
      const model = { getResponse: async () => ({ output: outputs.shift(), usage, responseId: 'r' }) }
      await new Runner().run(new Agent({ name: 'bench', model, tools: [work] }), 'go')
    }
  },
}

const callTools = await agents[library]()
await callTools(1)
const ms = performance.now()
const { user, system } = process.cpuUsage()
const megabytes = process.memoryUsage.rss() / 1e6

const start = performance.now()
const before = process.cpuUsage()
for (let done = 0; done < calls; done += BATCH) await callTools(Math.min(BATCH, calls - done))
const used = process.cpuUsage(before)
console.log(
  JSON.stringify({
    ms,
    cpuMs: (user + system) / 1000,
    megabytes,
    callMicros: ((performance.now() - start) * 1000) / calls,
    callCpuMicros: (used.user + used.system) / calls,
  }),
)

function numbers(count) {
  return Array.from({ length: count }, (_, n) => n)
}
