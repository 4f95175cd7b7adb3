import { startModelServer } from '../agents/register/model-server.mjs'
import { thrown } from '../agents/register/thrown.mjs'

/** Plays every scenario with the client against a provider on this machine. */
export async function play(GoogleGenAI) {
  const server = await startModelServer(answer)
  const ai = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: server.url } })
  const ask = (contents, config) => ai.models.generateContent({ model: 'gemini-x', contents, config })
  const stream = (contents) => ai.models.generateContentStream({ model: 'gemini-x', contents })

  const scenarios = {
    answers: async () => (await ask('hello')).text,
    asksForTool: async () => (await ask('use a tool')).functionCalls[0].name,
    streams: async () => {
      let answer = ''
      for await (const { text } of await stream('hello')) answer += text ?? ''
      return answer
    },
    chats: async () => (await ai.chats.create({ model: 'gemini-x' }).sendMessage({ message: 'hello' })).text,
    parallel: async () =>
      (await Promise.all([ask('hello'), ask('fail').catch(({ status }) => status)])).length,
    fails: () => ask('fail'),
    left: async () => {
      for await (const { text } of await stream('hello')) return text
    },
    aborted: () => {
      const controller = new AbortController()
      onHold = () => controller.abort()
      return ask('hold', { abortSignal: controller.signal })
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

/** Called when a request that is not answered has arrived. */
let onHold

const usageMetadata = {
  promptTokenCount: 3,
  candidatesTokenCount: 5,
  totalTokenCount: 9,
  cachedContentTokenCount: 2,
  thoughtsTokenCount: 1,
}

function answer(path, { contents }) {
  const said = contents.at(-1).parts[0].text
  if (said === 'fail') return { status: 400, json: { error: { code: 400, message: 'the model is down' } } }
  if (said === 'hold') {
    onHold()
    return { pieces: [' '], hold: true }
  }
  const part =
    said === 'use a tool'
      ? { functionCall: { name: 'weather', args: { city: 'Rome' } } }
      : { text: 'hi there' }
  const response = (parts, more) => ({
    responseId: 'g1',
    modelVersion: 'gemini-x-1',
    candidates: [{ content: { role: 'model', parts }, ...more }],
    usageMetadata,
  })
  if (!path.includes('stream')) return { json: response([part], { finishReason: 'STOP' }) }
  const chunks = [response([{ text: 'hi ' }]), response([{ text: 'there' }], { finishReason: 'STOP' })]
  return { pieces: chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`) }
}
