// Anthropic's Claude Agent SDK: the real command line with a model on this machine, and a tool that is refused.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { query } from '@anthropic-ai/claude-agent-sdk'
import { startModel } from './model-on-this-machine.mjs'

const home = mkdtempSync(join(tmpdir(), 'example-'))
const message = { id: 'msg-1', type: 'message', role: 'assistant', model: 'claude-mock', content: [] }
const answer = (block, delta, stop_reason) => [
  { type: 'message_start', message: { ...message, usage: { input_tokens: 20, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: block },
  { type: 'content_block_delta', index: 0, delta },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason }, usage: { output_tokens: 8 } },
  { type: 'message_stop' },
]
const askForBash = answer(
  { type: 'tool_use', id: 'call-1', name: 'Bash', input: {} },
  { type: 'input_json_delta', partial_json: '{"command":"rm -rf ./everything"}' },
  'tool_use',
)
const giveUp = answer(
  { type: 'text', text: '' },
  { type: 'text_delta', text: 'Then I leave it.' },
  'end_turn',
)
const answers = [askForBash]
const model = await startModel({
  get '/v1/messages'() {
    return answers.shift() ?? giveUp
  },
})

const options = {
  cwd: home,
  settingSources: [],
  canUseTool: async () => ({ behavior: 'deny', message: 'Not everything!' }),
  env: {
    ...process.env,
    HOME: home,
    CLAUDE_CONFIG_DIR: home,
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: 'none',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
  },
}
for await (const { type, result } of query({ prompt: 'Clean up, please.', options })) {
  if (type === 'result') console.log(result)
}
model.stop()
rmSync(home, { recursive: true, force: true, maxRetries: 3 })
