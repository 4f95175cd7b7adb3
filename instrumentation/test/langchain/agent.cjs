const { AIMessage, AIMessageChunk, HumanMessage, ToolMessage } = require('@langchain/core/messages')
const { RunnableLambda } = require('@langchain/core/runnables')
const { fakeModel } = require('@langchain/core/testing')
const { FakeStreamingChatModel } = require('@langchain/core/utils/testing')
const { tool } = require('@langchain/core/tools')
const { z } = require('zod')
const { play } = require('./scenarios.mjs')

play({
  AIMessage,
  AIMessageChunk,
  FakeStreamingChatModel,
  fakeModel,
  HumanMessage,
  RunnableLambda,
  tool,
  ToolMessage,
  z,
})
