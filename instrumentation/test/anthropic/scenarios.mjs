import { startModelServer } from '../register/model-server.mjs'
import { thrown } from '../register/thrown.mjs'

/** Plays every scenario with the client against a provider on this machine. */
export async function play(Anthropic) {
  const server = await startModelServer(answer)
  const client = new Anthropic({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })
  const body = (content) => ({ model: 'claude-x', max_tokens: 100, messages: [{ role: 'user', content }] })
  const ask = (content, options) => client.messages.create({ ...body(content), ...options })

  const runTools = async (run) => {
    const weather = {
      name: 'weather',
      description: 'The weather',
      input_schema: { type: 'object', properties: { city: { type: 'string' } } },
      run,
      parse: (input) => input,
    }
    return (await client.beta.messages.toolRunner({ ...body('use a tool'), tools: [weather] })).content[0]
      .text
  }

  const scenarios = {
    answers: async () => (await ask('hello')).content[0].text,
    streams: async () => await read(await ask('hello', { stream: true })),
    streamsTool: async () => await read(await ask('use a tool', { stream: true })),
    helper: async () => (await client.messages.stream(body('hello')).finalMessage()).content[0].text,
    beta: async () => (await client.beta.messages.create(body('hello'))).content[0].text,
    runsTools: () => runTools(({ city }) => `sunny in ${city}`),
    toolThrows: () =>
      runTools(() => {
        throw new Error('no such city')
      }),
    toolAsksModel: () => runTools(async () => (await ask('hello')).content[0].text),
    parallel: async () =>
      (await Promise.all([ask('hello'), ask('fail').catch(({ status }) => status)])).length,
    fails: () => ask('fail'),
    aborted: async () => {
      const controller = new AbortController()
      const stream = await client.messages.create(
        { ...body('hold'), stream: true },
        { signal: controller.signal },
      )
      return await read(stream, () => controller.abort())
    },
    left: async () => {
      for await (const { type } of await ask('hello', { stream: true })) return type
    },
    raw: async () => (await (await ask('hello').asResponse()).json()).id,
    rejectedAtOnce: () =>
      client.messages.create({ ...body('hello'), model: 'claude-opus-4-0', max_tokens: 1_000_000 }),
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

const USAGE = {
  input_tokens: 3,
  output_tokens: 5,
  cache_read_input_tokens: 2,
  cache_creation_input_tokens: 1,
}
const TEXT = { type: 'text', text: 'hi there' }
const TOOL_USE = { type: 'tool_use', id: 'c1', name: 'weather', input: { city: 'Rome' } }

async function read(stream, onText) {
  let answer = ''
  for await (const { type, delta } of stream) {
    answer += delta?.text ?? delta?.partial_json ?? ''
    if (type === 'content_block_delta') onText?.()
  }
  return answer
}

function answer(_path, { stream, messages, model }) {
  const said = messages.at(-1).content
  if (said === 'fail')
    return { status: 400, json: { error: { type: 'invalid_request_error', message: 'the model is down' } } }
  const tool = said === 'use a tool'
  const content = [tool ? TOOL_USE : TEXT]
  const message = {
    id: 'msg-1',
    type: 'message',
    role: 'assistant',
    model: `${model}-1`,
    stop_sequence: null,
  }
  const stop_reason = tool ? 'tool_use' : 'end_turn'
  if (!stream) return { json: { ...message, content, stop_reason, usage: USAGE } }
  const pieces = [
    event('message_start', {
      message: { ...message, content: [], stop_reason: null, usage: { ...USAGE, output_tokens: 1 } },
    }),
    event('content_block_start', {
      index: 0,
      content_block: tool ? { ...TOOL_USE, input: {} } : { type: 'text', text: '' },
    }),
    ...(tool ? ['{"city":', '"Rome"}'] : ['hi ', 'there']).map((piece) =>
      event('content_block_delta', {
        index: 0,
        delta: tool ? { type: 'input_json_delta', partial_json: piece } : { type: 'text_delta', text: piece },
      }),
    ),
  ]
  if (said === 'hold') return { pieces, hold: true }
  return {
    pieces: [
      ...pieces,
      event('content_block_stop', { index: 0 }),
      event('message_delta', { delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 5 } }),
      event('message_stop', {}),
    ],
  }
}

function event(type, value) {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...value })}\n\n`
}
