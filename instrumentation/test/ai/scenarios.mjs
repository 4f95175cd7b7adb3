import { thrown } from '../register/thrown.mjs'

/** Plays every scenario in a session of its own name, with models that answer from a script. */
export async function play(ai, { MockLanguageModelV4, simulateReadableStream }, z) {
  const tools = {
    weather: ai.tool({
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => {
        await new Promise((resolve) => setTimeout(resolve, city === 'Rome' ? 1 : 20))
        if (city === 'Atlantis') throw new Error('no such city')
        return { celsius: 20 }
      },
    }),
    erase: ai.tool({ inputSchema: z.object({}), execute: async () => 'erased' }),
    research: ai.tool({
      inputSchema: z.object({}),
      execute: async () => {
        const model = scripted([call('s1', 'weather', { city: 'Oslo' })], [text('cold')])
        const answer = await ai.generateText({
          model,
          tools,
          prompt: 'research',
          stopWhen: ai.isStepCount(3),
        })
        return answer.text
      },
    }),
  }

  const scenarios = {
    succeeds: () => generate([call('c1', 'weather', { city: 'Rome' })], [text('sunny')]),
    throws: () => generate([call('c1', 'weather', { city: 'Atlantis' })], [text('sorry')]),
    denied: () =>
      generate([call('c1', 'erase', {})], [text('then not')], {
        toolApproval: { erase: { type: 'denied', reason: 'read-only' } },
      }),
    asked: async () => {
      const options = { toolApproval: { erase: 'user-approval' } }
      const { content, response } = await ask([[call('c1', 'erase', {})]], { prompt: 'go', ...options })
      const { approvalId } = content.find(({ type }) => type === 'tool-approval-request')
      const answer = {
        type: 'tool-approval-response',
        approvalId,
        approved: false,
        reason: 'the user said no',
      }
      const messages = [
        { role: 'user', content: 'go' },
        ...response.messages,
        { role: 'tool', content: [answer] },
      ]
      return (await ask([[text('then not')]], { messages, ...options })).text
    },
    parallel: () =>
      generate(
        [call('c1', 'weather', { city: 'Rome' }), call('c2', 'weather', { city: 'Atlantis' })],
        [text('half')],
      ),
    streamed: () => stream([text('let me see'), call('c1', 'weather', { city: 'Rome' })], [text('sunny')]),
    nested: () => generate([call('c1', 'research', {})], [text('found')]),
    aborted: () => {
      const controller = new AbortController()
      return stream([text('one'), text('two')], undefined, {
        abortSignal: controller.signal,
        onText: () => controller.abort(),
      })
    },
    failed: () => generate(new Error('the model is down')),
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

  async function ask(steps, options) {
    return await ai.generateText({
      model: scripted(...steps),
      tools,
      maxRetries: 0,
      stopWhen: ai.isStepCount(3),
      runtimeContext: { sessionId: session },
      telemetry: { functionId: 'main', includeRuntimeContext: { sessionId: true } },
      ...options,
    })
  }

  async function generate(first, second, options) {
    return (await ask([first, second], { prompt: 'go', ...options })).text
  }

  async function stream(first, second, { onText, ...options } = {}) {
    const result = ai.streamText({
      model: scripted(first, second),
      tools,
      prompt: 'go',
      stopWhen: ai.isStepCount(3),
      runtimeContext: { sessionId: session },
      telemetry: { functionId: 'main', includeRuntimeContext: { sessionId: true } },
      ...options,
    })
    let answer = ''
    for await (const piece of result.textStream) {
      answer += piece
      onText?.()
    }
    return answer
  }

  function scripted(...steps) {
    let step = 0
    const next = () => {
      const content = steps[step++]
      if (content instanceof Error) throw content
      return content
    }
    return new MockLanguageModelV4({
      provider: 'mock',
      modelId: 'mock-1',
      doGenerate: async () => {
        const content = next()
        return { content, finishReason: finish(content), usage: USAGE, warnings: [] }
      },
      doStream: async () => {
        const content = next()
        const chunks = content.flatMap((part, id) =>
          part.type === 'text'
            ? [
                { type: 'text-start', id: `${id}` },
                { type: 'text-delta', id: `${id}`, delta: part.text },
                { type: 'text-end', id: `${id}` },
              ]
            : [part],
        )
        const end = { type: 'finish', finishReason: finish(content), usage: USAGE }
        return {
          stream: simulateReadableStream({
            chunks: [{ type: 'stream-start', warnings: [] }, ...chunks, end],
          }),
        }
      },
    })
  }
}

const USAGE = {
  inputTokens: { total: 3, noCache: 1, cacheRead: 2, cacheWrite: 0 },
  outputTokens: { total: 5, text: 4, reasoning: 1 },
}

function finish(content) {
  return { unified: content.some(({ type }) => type === 'tool-call') ? 'tool-calls' : 'stop', raw: undefined }
}

function text(value) {
  return { type: 'text', text: value }
}

function call(toolCallId, toolName, input) {
  return { type: 'tool-call', toolCallType: 'function', toolCallId, toolName, input: JSON.stringify(input) }
}
