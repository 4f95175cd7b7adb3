import { AIMessage, AIMessageChunk, HumanMessage, ToolMessage } from '@langchain/core/messages'
import { RunnableLambda } from '@langchain/core/runnables'
import { fakeModel } from '@langchain/core/testing'
import { tool } from '@langchain/core/tools'
import { FakeStreamingChatModel } from '@langchain/core/utils/testing'
import { z } from 'zod'
import { play } from './scenarios.mjs'

await play({
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
