// OpenAI's client alone: one model call.
import OpenAI from 'openai'
import { startModel } from './model-on-this-machine.mjs'

const message = { role: 'assistant', content: 'It is 24 degrees in Rome.' }
const model = await startModel({
  '/chat/completions': {
    id: 'chat-1',
    model: 'gpt-mock',
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage: { prompt_tokens: 20, completion_tokens: 8, total_tokens: 28 },
  },
})

const client = new OpenAI({ apiKey: 'none', baseURL: `${model.url}/v1` })
const { choices } = await client.chat.completions.create({
  model: 'gpt-mock',
  messages: [{ role: 'user', content: 'How warm is it in Rome?' }],
})
console.log(choices[0].message.content)
model.stop()
