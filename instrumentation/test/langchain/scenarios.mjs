import { thrown } from '../register/thrown.mjs'

/** Plays every scenario in a thread of its own name: the loop of a small agent, with models that answer from a script. */
export async function play(langchain) {
  const { AIMessage, AIMessageChunk, FakeStreamingChatModel, fakeModel, HumanMessage } = langchain
  const { RunnableLambda, tool, ToolMessage, z } = langchain

  const weather = tool(
    async ({ city }) => {
      await new Promise((resolve) => setTimeout(resolve, city === 'Rome' ? 1 : 20))
      if (city === 'Atlantis') throw new Error('no such city')
      return 'sunny'
    },
    { name: 'weather', schema: z.object({ city: z.string() }) },
  )
  const erase = tool(async () => 'erased', { name: 'erase', schema: z.object({}) })
  const research = tool(
    async (_input, inTool) => {
      const researcher = agent('researcher', scripted([call('s1', 'weather', { city: 'Oslo' })], 'cold'))
      return (await researcher.invoke({ messages: [new HumanMessage('why')] }, inTool)).messages.at(-1).text
    },
    { name: 'research', schema: z.object({}) },
  )
  const tools = { weather, erase, research }

  const scenarios = {
    succeeds: () => ask(scripted([call('c1', 'weather', { city: 'Rome' })], 'sunny')),
    throws: () => ask(scripted([call('c1', 'weather', { city: 'Atlantis' })], 'sorry')),
    denied: () => ask(scripted([call('c1', 'erase', {})], 'then not')),
    parallel: () =>
      ask(
        scripted(
          [call('c1', 'weather', { city: 'Rome' }), call('c2', 'weather', { city: 'Atlantis' })],
          'half',
        ),
      ),
    streamed: async () => {
      let answer = ''
      for await (const { text } of await streaming('let ', 'me ', 'see').stream('go', config()))
        answer += text
      return answer
    },
    left: async () => {
      for await (const { text } of await streaming('one', 'two').stream('go', config())) return text
    },
    nested: () => ask(scripted([call('c1', 'research', {})], 'found')),
    aborted: async () => {
      const controller = new AbortController()
      const slow = RunnableLambda.from(async (_input, { signal }) => {
        controller.abort()
        signal.throwIfAborted()
      }).withConfig({ runName: 'main' })
      return await slow.invoke(
        { messages: [new HumanMessage('go')] },
        { ...config(), signal: controller.signal },
      )
    },
    failed: () => ask(scripted(new Error('the model is down'))),
  }

  let session
  for (const [name, scenario] of Object.entries(scenarios)) {
    session = name
    try {
      console.log(name, await scenario())
    } catch (error) {
      console.log(name, thrown(error))
    }
  }

  function config() {
    return { configurable: { thread_id: session } }
  }

  async function ask(model) {
    const result = await agent('main', model).invoke({ messages: [new HumanMessage('go')] }, config())
    return result.messages.at(-1).text
  }

  /** Asks the model and runs its tools until it asks for none; the tool `erase` is refused in a step of its own. */
  function agent(name, model) {
    const review = RunnableLambda.from(({ refused: { id, name: toolName } }) => ({
      messages: [
        new ToolMessage({ content: 'read-only', tool_call_id: id, name: toolName, status: 'error' }),
      ],
    })).withConfig({ runName: 'review' })
    const loop = async ({ messages }, inAgent) => {
      const answer = await model.invoke(messages, inAgent)
      const results = await Promise.all(
        answer.tool_calls.map(async (toolCall) => {
          if (toolCall.name === 'erase')
            return (await review.invoke({ refused: toolCall }, inAgent)).messages[0]
          try {
            return await tools[toolCall.name].invoke(toolCall, inAgent)
          } catch (error) {
            return new ToolMessage({ content: String(error), tool_call_id: toolCall.id, status: 'error' })
          }
        }),
      )
      const conversation = [...messages, answer, ...results]
      return results.length > 0 ? await loop({ messages: conversation }, inAgent) : { messages: conversation }
    }
    return RunnableLambda.from(loop).withConfig({ runName: name })
  }

  function scripted(...steps) {
    return steps.reduce((model, step) => {
      if (Array.isArray(step)) return model.respondWithTools(step)
      return model.respond(step instanceof Error ? step : new AIMessage({ content: step, ...METADATA }))
    }, fakeModel())
  }

  function streaming(...pieces) {
    return new FakeStreamingChatModel({ chunks: pieces.map((content) => new AIMessageChunk({ content })) })
  }
}

const METADATA = {
  usage_metadata: {
    input_tokens: 3,
    output_tokens: 5,
    total_tokens: 8,
    input_token_details: { cache_read: 2 },
    output_token_details: { reasoning: 1 },
  },
  response_metadata: { finish_reason: 'stop', model_name: 'mock-1' },
}

function call(id, name, args) {
  return { id, name, args }
}
