import { thrown } from '../register/thrown.mjs'

/** Plays every scenario in a session of its own name, with models that answer from a script. */
export async function play({ Agent, Runner, run, tool, Usage, setTracingDisabled }, z) {
  if (process.env.WITHOUT_TRACING) setTracingDisabled(true)

  const weather = tool({
    name: 'weather',
    description: 'The weather',
    parameters: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      await new Promise((resolve) => setTimeout(resolve, city === 'Rome' ? 1 : 20))
      if (city === 'Atlantis') throw new Error('no such city')
      return 'sunny'
    },
  })
  const erase = tool({
    name: 'erase',
    description: 'Erases everything',
    parameters: z.object({}),
    needsApproval: true,
    execute: async () => 'erased',
  })

  const scenarios = {
    succeeds: () => ask([call('c1', 'weather', { city: 'Rome' })], [text('sunny')]),
    throws: () => ask([call('c1', 'weather', { city: 'Atlantis' })], [text('sorry')]),
    denied: async () => {
      const runner = new Runner({ groupId: session })
      const agent = main([call('c1', 'erase', {})], [text('then not')])
      const asked = await runner.run(agent, 'go')
      asked.state.reject(asked.interruptions[0], { message: 'the user said no' })
      return (await runner.run(agent, asked.state)).finalOutput
    },
    parallel: () =>
      ask(
        [call('c1', 'weather', { city: 'Rome' }), call('c2', 'weather', { city: 'Atlantis' })],
        [text('half')],
      ),
    streamed: async () => {
      const agent = main([text('let me see'), call('c1', 'weather', { city: 'Rome' })], [text('sunny')])
      return await read(await new Runner({ groupId: session }).run(agent, 'go', { stream: true }))
    },
    nested: () => {
      const research = new Agent({
        name: 'researcher',
        model: scripted([call('s1', 'weather', { city: 'Oslo' })], [text('cold')]),
        tools: [weather],
      })
      const asTool = research.asTool({ toolName: 'research', toolDescription: 'Finds out' })
      const agent = main([call('c1', 'research', { input: 'why' })], [text('found')])
      return new Runner({ groupId: session })
        .run(agent.clone({ tools: [asTool] }), 'go')
        .then((r) => r.finalOutput)
    },
    handedOff: () => {
      const expert = new Agent({ name: 'expert', model: scripted([text('I know')]) })
      const agent = main([call('c1', 'transfer_to_expert', {})])
      return new Runner({ groupId: session })
        .run(agent.clone({ handoffs: [expert] }), 'go')
        .then((r) => r.finalOutput)
    },
    aborted: async () => {
      const controller = new AbortController()
      const agent = main([text('one'), text('two')])
      const options = { stream: true, signal: controller.signal }
      return await read(await new Runner({ groupId: session }).run(agent, 'go', options), () =>
        controller.abort(),
      )
    },
    failed: () => ask(new Error('the model is down')),
    conversation: () =>
      run(main([text('as before')]), 'go', { conversationId: session }).then((r) => r.finalOutput),
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

  function main(...steps) {
    return new Agent({
      name: 'main',
      instructions: 'Be brief.',
      model: scripted(...steps),
      tools: [weather, erase],
    })
  }

  async function ask(...steps) {
    return (await new Runner({ groupId: session }).run(main(...steps), 'go')).finalOutput
  }

  async function read(result, onText) {
    let answer = ''
    for await (const { type, data } of result) {
      if (type !== 'raw_model_stream_event' || data.type !== 'output_text_delta') continue
      answer += data.delta
      onText?.()
    }
    await result.completed
    return answer
  }

  function scripted(...steps) {
    let step = 0
    const next = () => {
      const output = steps[step++]
      if (output instanceof Error) throw output
      return output
    }
    const usage = { requests: 1, inputTokens: 3, outputTokens: 5, totalTokens: 8 }
    return {
      async getResponse() {
        return { output: next(), usage: new Usage(usage), responseId: `r${step}` }
      },
      async *getStreamedResponse() {
        const output = next()
        yield { type: 'response_started' }
        for (const { type, content } of output) {
          if (type === 'message') yield { type: 'output_text_delta', delta: content[0].text }
        }
        yield { type: 'response_done', response: { id: `r${step}`, usage, output } }
      },
    }
  }
}

function text(value) {
  return {
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: value }],
  }
}

function call(callId, name, input) {
  return { type: 'function_call', callId, name, arguments: JSON.stringify(input), status: 'completed' }
}
