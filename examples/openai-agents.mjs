// OpenAI's Agents SDK: an agent that asks another one, each with a model of its own.
import { Agent, Runner, setTracingDisabled, tool, Usage } from '@openai/agents'
import { z } from 'zod'

// Without a key there is nobody to send traces to; hook events do not need them.
setTracingDisabled(true)

const weather = tool({
  name: 'weather',
  description: 'The weather in a city',
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `24 degrees in ${city}`,
})

const researcher = new Agent({
  name: 'researcher',
  model: scripted(callTool('call-2', 'weather', { city: 'Rome' }), say('24 degrees')),
  tools: [weather],
})
const boss = new Agent({
  name: 'boss',
  model: scripted(callTool('call-1', 'research', { input: 'Rome' }), say('It is 24 degrees in Rome.')),
  tools: [researcher.asTool({ toolName: 'research', toolDescription: 'Finds out' })],
})

const { finalOutput } = await new Runner({ groupId: 'example-openai-agents' }).run(
  boss,
  'How warm is it in Rome?',
)
console.log(finalOutput)

function scripted(...outputs) {
  const usage = new Usage({ requests: 1, inputTokens: 20, outputTokens: 8, totalTokens: 28 })
  return { getResponse: async () => ({ output: [outputs.shift()], usage, responseId: 'response-1' }) }
}

function callTool(callId, name, input) {
  return { type: 'function_call', callId, name, arguments: JSON.stringify(input), status: 'completed' }
}

function say(text) {
  return { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] }
}
