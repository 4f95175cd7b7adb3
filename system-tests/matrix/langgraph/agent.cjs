const { AIMessage, HumanMessage } = require('@langchain/core/messages')
const { fakeModel } = require('@langchain/core/testing')
const { Command, MemorySaver } = require('@langchain/langgraph')
const { createAgent, humanInTheLoopMiddleware, tool } = require('langchain')
const { z } = require('zod')
const { play } = require('./scenarios.mjs')

play({
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
