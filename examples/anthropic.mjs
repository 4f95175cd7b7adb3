// Anthropic's client alone: one model call, streamed.
import Anthropic from '@anthropic-ai/sdk'
import { startModel } from './model-on-this-machine.mjs'

const message = { id: 'msg-1', type: 'message', role: 'assistant', model: 'claude-mock', content: [] }
const delta = (text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })
const model = await startModel({
  '/v1/messages': [
    { type: 'message_start', message: { ...message, usage: { input_tokens: 20, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    delta('It is 24 degrees '),
    delta('in Rome.'),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 8 } },
    { type: 'message_stop' },
  ],
})

const client = new Anthropic({ apiKey: 'none', baseURL: model.url })
const stream = client.messages.stream({
  model: 'claude-mock',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'How warm is it in Rome?' }],
})
console.log(await stream.finalText())
model.stop()
