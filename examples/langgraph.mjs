// LangGraph through LangChain's createAgent: a tool that somebody has to approve, and nobody does.
import { AIMessage, HumanMessage } from '@langchain/core/messages'
import { fakeModel } from '@langchain/core/testing'
import { Command, MemorySaver } from '@langchain/langgraph'
import { createAgent, humanInTheLoopMiddleware, tool } from 'langchain'
import { z } from 'zod'

const remove = tool(async ({ file }) => `${file} is gone`, {
  name: 'remove',
  description: 'Removes a file',
  schema: z.object({ file: z.string() }),
})

const agent = createAgent({
  name: 'file-agent',
  model: fakeModel()
    .respondWithTools([{ name: 'remove', args: { file: 'thesis.tex' }, id: 'call-1' }])
    .respond(new AIMessage('Then I leave it where it is.')),
  tools: [remove],
  middleware: [humanInTheLoopMiddleware({ interruptOn: { remove: true } })],
  checkpointer: new MemorySaver(),
})

const config = { configurable: { thread_id: 'example-langgraph' } }
await agent.invoke({ messages: [new HumanMessage('Clean up, please.')] }, config)
const no = new Command({ resume: { decisions: [{ type: 'reject', message: 'Not my thesis!' }] } })
const { messages } = await agent.invoke(no, config)
console.log(messages.at(-1).text)
