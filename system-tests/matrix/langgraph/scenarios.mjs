import { thrown } from '../agents/register/thrown.mjs'

/** Plays every scenario in a thread of its own name, with models that answer from a script. */
export async function play(langchain) {
  const { AIMessage, Command, createAgent, fakeModel, HumanMessage } = langchain
  const { humanInTheLoopMiddleware, MemorySaver, tool, z } = langchain

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
    async () => {
      const model = scripted([call('s1', 'weather', { city: 'Oslo' })], 'cold')
      const researcher = createAgent({ name: 'researcher', model, tools: [weather] })
      return (await researcher.invoke({ messages: [new HumanMessage('why')] })).messages.at(-1).text
    },
    { name: 'research', schema: z.object({}) },
  )

  const scenarios = {
    succeeds: () => ask([call('c1', 'weather', { city: 'Rome' })], 'sunny'),
    throws: () => ask([call('c1', 'weather', { city: 'Atlantis' })], 'sorry'),
    denied: async () => {
      const review = humanInTheLoopMiddleware({ interruptOn: { erase: true } })
      const agent = main(scripted([call('c1', 'erase', {})], 'then not'), {
        middleware: [review],
        checkpointer: new MemorySaver(),
      })
      await agent.invoke({ messages: [new HumanMessage('go')] }, config())
      const decision = { type: 'reject', message: 'the user said no' }
      const result = await agent.invoke(new Command({ resume: { decisions: [decision] } }), config())
      return result.messages.at(-1).text
    },
    parallel: () =>
      ask([call('c1', 'weather', { city: 'Rome' }), call('c2', 'weather', { city: 'Atlantis' })], 'half'),
    streamed: async () => {
      const agent = main(scripted([call('c1', 'weather', { city: 'Rome' })], 'sunny'))
      const nodes = []
      const options = { ...config(), streamMode: 'updates' }
      for await (const update of await agent.stream({ messages: [new HumanMessage('go')] }, options)) {
        nodes.push(...Object.keys(update))
      }
      return nodes.join()
    },
    nested: () => ask([call('c1', 'research', {})], 'found'),
    aborted: async () => {
      const controller = new AbortController()
      const slow = tool(
        async () => {
          controller.abort()
          await new Promise((resolve) => setTimeout(resolve, 50))
          return 'late'
        },
        { name: 'slow', schema: z.object({}) },
      )
      const agent = createAgent({
        name: 'main',
        model: scripted([call('c1', 'slow', {})], 'never'),
        tools: [slow],
      })
      const options = { ...config(), signal: controller.signal }
      const result = await agent.invoke({ messages: [new HumanMessage('go')] }, options)
      return result.messages.at(-1).text
    },
    failed: () => ask(new Error('the model is down')),
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

  function main(model, options) {
    return createAgent({ name: 'main', model, tools: [weather, erase, research], ...options })
  }

  async function ask(...steps) {
    const result = await main(scripted(...steps)).invoke({ messages: [new HumanMessage('go')] }, config())
    return result.messages.at(-1).text
  }

  function scripted(...steps) {
    return steps.reduce((model, step) => {
      if (Array.isArray(step)) return model.respondWithTools(step)
      return model.respond(step instanceof Error ? step : new AIMessage({ content: step }))
    }, fakeModel())
  }
}

function call(id, name, args) {
  return { id, name, args }
}
