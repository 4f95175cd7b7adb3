// LangChain without LangGraph: a model with a tool, in a loop of our own.
import { AIMessage, HumanMessage } from '@langchain/core/messages'
import { RunnableLambda } from '@langchain/core/runnables'
import { fakeModel } from '@langchain/core/testing'
import { tool } from '@langchain/core/tools'
import { z } from 'zod'

const weather = tool(async ({ city }) => `24 degrees in ${city}`, {
  name: 'weather',
  description: 'The weather in a city',
  schema: z.object({ city: z.string() }),
})

const model = fakeModel()
  .respondWithTools([{ name: 'weather', args: { city: 'Rome' }, id: 'call-1' }])
  .respond(new AIMessage('It is 24 degrees in Rome.'))

const agent = RunnableLambda.from(async (question, config) => {
  const messages = [new HumanMessage(question)]
  for (;;) {
    const answer = await model.invoke(messages, config)
    messages.push(answer)
    if (!answer.tool_calls.length) return answer.text
    for (const call of answer.tool_calls) messages.push(await weather.invoke(call, config))
  }
}).withConfig({ runName: 'weather-agent' })

// The thread is the session.
console.log(
  await agent.invoke('How warm is it in Rome?', { configurable: { thread_id: 'example-langchain' } }),
)
