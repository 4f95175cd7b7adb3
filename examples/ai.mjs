// Vercel's AI SDK: an agent with a tool, and a model that answers from a script.
import { generateText, isStepCount, tool } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { z } from 'zod'

const weather = tool({
  description: 'The weather in a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, celsius: 24 }),
})

const usage = { inputTokens: { total: 20 }, outputTokens: { total: 8 } }
const answers = [
  [{ type: 'tool-call', toolCallId: 'call-1', toolName: 'weather', input: '{"city":"Rome"}' }],
  [{ type: 'text', text: 'It is 24 degrees in Rome.' }],
]
const model = new MockLanguageModelV4({
  modelId: 'mock-model',
  doGenerate: async () => {
    const content = answers.shift()
    const unified = content[0].type === 'tool-call' ? 'tool-calls' : 'stop'
    return { content, finishReason: { unified }, usage, warnings: [] }
  },
})

const { text } = await generateText({
  model,
  tools: { weather },
  prompt: 'How warm is it in Rome?',
  stopWhen: isStepCount(5),
  // The session's id: the SDK shows telemetry only what it is told to.
  runtimeContext: { sessionId: 'example-ai' },
  telemetry: { functionId: 'weather-agent', includeRuntimeContext: { sessionId: true } },
})
console.log(text)
