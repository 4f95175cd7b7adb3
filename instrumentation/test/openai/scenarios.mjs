import { startModelServer } from '../register/model-server.mjs'
import { thrown } from '../register/thrown.mjs'

/** Plays every scenario with the client against a provider on this machine. */
export async function play(OpenAI) {
  const server = await startModelServer(answer)
  const client = new OpenAI({ apiKey: 'none', baseURL: `${server.url}/v1`, maxRetries: 0 })
  const chat = (content, options) =>
    client.chat.completions.create({ model: 'gpt-x', messages: [{ role: 'user', content }], ...options })

  const runTools = async (run) => {
    const weather = {
      name: 'weather',
      description: 'The weather',
      parse: JSON.parse,
      function: run,
      parameters: {},
    }
    const messages = [{ role: 'user', content: 'use a tool' }]
    const tools = [{ type: 'function', function: weather }]
    return await client.chat.completions.runTools({ model: 'gpt-x', messages, tools }).finalContent()
  }

  const scenarios = {
    answers: async () => (await chat('hello')).choices[0].message.content,
    asksForTool: async () => (await chat('use a tool')).choices[0].finish_reason,
    streams: async () => await read(await chat('hello', { stream: true })),
    streamsTool: async () => {
      const calls = []
      for await (const { choices } of await chat('use a tool', { stream: true }))
        calls.push(choices[0]?.delta?.tool_calls)
      return calls.flat().filter(Boolean).length
    },
    helper: async () =>
      (await client.chat.completions.stream({ model: 'gpt-x', messages: HELLO }).finalMessage()).content,
    runsTools: () => runTools(({ city }) => `sunny in ${city}`),
    toolThrows: () =>
      runTools(() => {
        throw new Error('no such city')
      }),
    toolAsksModel: () => runTools(async () => (await chat('hello')).choices[0].message.content),
    responds: async () => (await client.responses.create({ model: 'gpt-x', input: 'hello' })).output_text,
    respondsInStream: async () => {
      const types = []
      for await (const { type } of await client.responses.create({
        model: 'gpt-x',
        input: 'hello',
        stream: true,
      }))
        types.push(type)
      return types.length
    },
    parallel: async () =>
      (await Promise.all([chat('hello'), chat('fail').catch(({ status }) => status)])).length,
    fails: () => chat('fail'),
    aborted: async () => {
      const controller = new AbortController()
      const stream = await client.chat.completions.create(
        { model: 'gpt-x', messages: [{ role: 'user', content: 'hold' }], stream: true },
        { signal: controller.signal },
      )
      return await read(stream, () => controller.abort())
    },
    left: async () => {
      for await (const { choices } of await chat('hello', { stream: true })) return choices[0].delta.content
    },
    raw: async () => (await (await chat('hello').asResponse()).json()).id,
    withResponse: async () => {
      const { data, response } = await chat('hello').withResponse()
      return [data.id, response.status]
    },
  }

  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      console.log(name, await scenario())
    } catch (error) {
      console.log(name, thrown(error))
    }
  }
  server.close()
}

const HELLO = [{ role: 'user', content: 'hello' }]
const USAGE = {
  prompt_tokens: 3,
  completion_tokens: 5,
  total_tokens: 8,
  prompt_tokens_details: { cached_tokens: 2 },
  completion_tokens_details: { reasoning_tokens: 1 },
}
const TOOL_CALL = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }

async function read(stream, onText) {
  let answer = ''
  for await (const { choices } of stream) {
    answer += choices[0]?.delta?.content ?? ''
    onText?.()
  }
  return answer
}

function answer(path, { stream, messages, input }) {
  const said = messages?.at(-1).content ?? input
  if (said === 'fail') return { status: 400, json: { error: { message: 'the model is down' } } }
  if (path.endsWith('/responses')) return respond(stream)
  const tool = said === 'use a tool'
  if (!stream) {
    const message = tool
      ? { role: 'assistant', tool_calls: [TOOL_CALL] }
      : { role: 'assistant', content: 'hi there' }
    return {
      json: {
        id: 'chat-1',
        model: 'gpt-x-1',
        usage: USAGE,
        choices: [{ index: 0, message, finish_reason: tool ? 'tool_calls' : 'stop' }],
      },
    }
  }
  const chunk = (delta, more = {}) =>
    data({ id: 'chat-1', model: 'gpt-x-1', choices: [{ index: 0, delta, ...more }] })
  const pieces = tool
    ? [
        chunk({
          tool_calls: [{ index: 0, ...TOOL_CALL, function: { name: 'weather', arguments: '{"city":' } }],
        }),
        chunk({ tool_calls: [{ index: 0, function: { arguments: '"Rome"}' } }] }),
      ]
    : [chunk({ role: 'assistant', content: 'hi ' }), chunk({ content: 'there' })]
  if (said === 'hold') return { pieces, hold: true }
  const end = [
    chunk({}, { finish_reason: tool ? 'tool_calls' : 'stop' }),
    data({ id: 'chat-1', model: 'gpt-x-1', choices: [], usage: USAGE }),
  ]
  return { pieces: [...pieces, ...end, 'data: [DONE]\n\n'] }
}

function respond(stream) {
  const response = {
    id: 'resp-1',
    object: 'response',
    model: 'gpt-x-1',
    status: 'completed',
    output: [
      {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'hi there', annotations: [] }],
      },
    ],
    usage: {
      input_tokens: 3,
      output_tokens: 5,
      total_tokens: 8,
      input_tokens_details: { cached_tokens: 2 },
      output_tokens_details: { reasoning_tokens: 1 },
    },
  }
  if (!stream) return { json: response }
  return {
    pieces: [
      data({
        type: 'response.created',
        response: { ...response, status: 'in_progress', output: [], usage: null },
      }),
      data({ type: 'response.output_text.delta', delta: 'hi there' }),
      data({ type: 'response.completed', response }),
    ],
  }
}

function data(value) {
  return `data: ${JSON.stringify(value)}\n\n`
}
