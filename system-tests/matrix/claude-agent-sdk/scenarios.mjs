import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startModelServer } from '../agents/register/model-server.mjs'
import { thrown } from '../agents/register/thrown.mjs'

/** Plays every scenario with the real command line, in a session of its own, against a model on this machine. */
export async function play(query) {
  const home = mkdtempSync(join(tmpdir(), 'claude-agent-sdk-'))
  const bash = (id, command) => ({
    type: 'tool_use',
    id,
    name: 'Bash',
    input: { command, description: command },
  })
  const text = (value) => ({ type: 'text', text: value })

  const scenarios = {
    succeeds: { steps: [[bash('c1', 'echo hi')], [text('said hi')]] },
    throws: { steps: [[bash('c1', 'exit 7')], [text('sorry')]] },
    denied: {
      steps: [[bash('c1', 'rm -rf ./nothing')], [text('then not')]],
      options: { canUseTool: async () => ({ behavior: 'deny', message: 'the user said no' }) },
    },
    blockedByHook: {
      steps: [[bash('c1', 'echo secret')], [text('then not')]],
      options: { hooks: { PreToolUse: [{ matcher: 'Bash', hooks: [refuse] }] } },
    },
    parallel: { steps: [[bash('c1', 'echo one'), bash('c2', 'exit 7')], [text('half')]] },
    streamed: {
      steps: [[bash('c1', 'echo hi')], [text('said hi')]],
      options: { includePartialMessages: true },
    },
    nested: {
      steps: [
        [
          {
            type: 'tool_use',
            id: 'c1',
            name: 'Agent',
            input: {
              description: 'look',
              prompt: 'SUBAGENT look',
              subagent_type: 'general-purpose',
              run_in_background: false,
            },
          },
        ],
        [text('found')],
      ],
    },
    aborted: { steps: [[bash('c1', 'sleep 5')], [text('never')]], abortOnTool: true },
    failed: { steps: [] },
  }

  let steps
  const server = await startModelServer((path, body) => {
    if (!path.startsWith('/v1/messages')) return { status: 404, json: {} }
    if (path.includes('count_tokens')) return { json: { input_tokens: 3 } }
    if (!body.tools?.length) return { pieces: stream([text('a title')]) }
    if (JSON.stringify(body.messages[0]).includes('SUBAGENT')) return { pieces: stream([text('looked')]) }
    const content = steps.shift()
    if (!content)
      return {
        status: 400,
        json: { type: 'error', error: { type: 'invalid_request_error', message: 'the model is down' } },
      }
    return { pieces: stream(content) }
  })

  for (const [name, scenario] of Object.entries(scenarios)) {
    steps = [...scenario.steps]
    const abortController = new AbortController()
    const options = {
      cwd: home,
      abortController,
      settingSources: [],
      allowedTools: scenario.options?.canUseTool ? [] : ['Bash(echo:*)', 'Bash(exit:*)', 'Bash(sleep:*)'],
      env: {
        ...process.env,
        HOME: home,
        CLAUDE_CONFIG_DIR: home,
        ANTHROPIC_BASE_URL: server.url,
        ANTHROPIC_API_KEY: 'none',
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
        CLAUDE_CODE_MAX_RETRIES: '0',
        DISABLE_TELEMETRY: '1',
      },
      ...scenario.options,
    }
    try {
      let result
      for await (const message of query({ prompt: name, options })) {
        if (message.type === 'result') result = message
        const asksForTool = message.message?.content?.[0]?.type === 'tool_use'
        if (scenario.abortOnTool && asksForTool) setTimeout(() => abortController.abort(), 500)
      }
      console.log(name, result.subtype, result.is_error ? 'error' : result.result)
    } catch (error) {
      console.log(name, thrown(error))
    }
  }
  server.close()
  rmSync(home, { recursive: true, force: true, maxRetries: 3 })
}

async function refuse() {
  return {
    hookSpecificOutput: {
      hookEventName: 'PreToolUse',
      permissionDecision: 'deny',
      permissionDecisionReason: 'no secrets',
    },
  }
}

/** An answer as the model streams it. */
function stream(content) {
  const stop_reason = content.some(({ type }) => type === 'tool_use') ? 'tool_use' : 'end_turn'
  const message = { id: 'msg-1', type: 'message', role: 'assistant', model: 'claude-x', stop_sequence: null }
  return [
    event('message_start', {
      message: { ...message, content: [], stop_reason: null, usage: { input_tokens: 3, output_tokens: 1 } },
    }),
    ...content.flatMap((block, index) => [
      event('content_block_start', {
        index,
        content_block: block.type === 'text' ? { type: 'text', text: '' } : { ...block, input: {} },
      }),
      event('content_block_delta', {
        index,
        delta:
          block.type === 'text'
            ? { type: 'text_delta', text: block.text }
            : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) },
      }),
      event('content_block_stop', { index }),
    ]),
    event('message_delta', { delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 5 } }),
    event('message_stop', {}),
  ]
}

function event(type, value) {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...value })}\n\n`
}
