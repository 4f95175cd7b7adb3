import { AIMessage, HumanMessage } from '@langchain/core/messages'
import { fakeModel } from '@langchain/core/testing'
import { Command, MemorySaver } from '@langchain/langgraph'
import { createAgent, humanInTheLoopMiddleware, tool } from 'langchain'
import { z } from 'zod'
import { play } from './scenarios.mjs'

await play({
  AIMessage,
  Command,
  createAgent,
  fakeModel,
  HumanMessage,
  humanInTheLoopMiddleware,
  MemorySaver,
  tool,
  z,
})
