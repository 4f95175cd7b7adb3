import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { version } from '../../src/agents/version.ts'
import { type AgentRun, type RunOptions, runAgent, summarize } from './run-agent.ts'

const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url)
/** OpenTelemetry's own way to patch ES modules. */
const LOADER = ['--import', fileURLToPath(fixture('otel-loader.mjs'))]
const CALL = ['tool_execution_started work', 'tool_execution_completed work']
const SESSION = ['session_started', ...CALL, 'session_completed']

function bySession({ events }: AgentRun): string[][] {
  return [...Map.groupBy(events, ({ sessionId }) => sessionId).values()].map((session) => summarize(session))
}

describe('the preload', () => {
  it('reports each worker thread as a session of its own, with its parent', async () => {
    const run = await runAgent(fixture('worker.mjs'))
    expect(bySession(run)).toEqual([SESSION, SESSION])
    const [main, worker] = run.events.filter(({ eventType }) => eventType === 'session_started')
    expect(worker?.data.parent_session_id).toBe(main?.sessionId)
    expect(worker?.data.thread_id).toBeTypeOf('number')
  })

  it('reports each child process once, whether it inherits arguments or NODE_OPTIONS', async () => {
    const NODE_OPTIONS = '--require @agentic-hooks/instrumentation/register'
    const run = await runAgent(fixture('child.mjs'), { env: { NODE_OPTIONS } })
    expect(bySession(run)).toEqual([SESSION, SESSION])
    const [parent, child] = run.events.filter(({ eventType }) => eventType === 'session_started')
    expect(child?.data.parent_process_id).toBe(parent?.data.process_id)
  })

  it('starts once when it is required and imported', async () => {
    const nodeArgs = ['--import', '@agentic-hooks/instrumentation/register']
    expect(bySession(await runAgent(fixture('one-call.mjs'), { nodeArgs }))).toEqual([SESSION])
  })

  it('is silent with OTEL_SDK_DISABLED', async () => {
    const run = await runAgent(fixture('one-call.mjs'), { env: { OTEL_SDK_DISABLED: 'true' } })
    expect(run).toMatchObject({ exitCode: 0, stderr: '', events: [] })
  })

  it('warns once when it cannot start, and the application runs', async () => {
    const NODE_OPTIONS = `--require ${fileURLToPath(fixture('breaks-preload.cjs'))}`
    const run = await runAgent(fixture('one-call.mjs'), { env: { NODE_OPTIONS } })
    expect(run.exitCode).toBe(0)
    expect(run.events).toEqual([])
    expect(run.stderr.match(/AgenticHooksWarning: .*/g)).toEqual([
      'AgenticHooksWarning: Hook events are off: the preload failed. The application is not affected.',
    ])
  })

  it('warns of a library that is newer than what was tested, and of one that it cannot patch', async () => {
    const run = await runAgent(fixture('broken-library.cjs'))
    expect(run).toMatchObject({ exitCode: 0, stdout: 'ran\n' })
    expect(run.stderr.match(/AgenticHooksWarning: .*/g)).toEqual([
      expect.stringContaining('@openai/agents-core 9.0.0 is newer than 0.x'),
      expect.stringContaining('Some hook events are missing'),
    ])
  })

  it('has the version of its package', () => {
    expect(version).toBe(packageJson.version)
  })
})

describe('an application that ends in the middle of a tool', () => {
  const ABANDONED = [
    'session_started',
    'tool_execution_started work',
    'tool_execution_completed work failed: The session ended first',
    'session_completed',
  ]

  it.each(['throw', 'exit', 'signal'])('ends as it would have (%s)', async (how) => {
    const args = [how]
    const [run, alone] = await Promise.all([
      runAgent(fixture('exits.mjs'), { args }),
      runAgent(fixture('exits.mjs'), { args, preload: 'none' }),
    ])
    expect(run.exitCode).toBe(alone.exitCode)
    expect(run.signal).toBe(alone.signal)
    expect(run.stdout).toBe(alone.stdout)
    expect(run.stderr.replace(/^agentic-hooks: .*\n/gm, '')).toBe(alone.stderr)
  })

  it('has completed what it started when a signal ends it', async () => {
    const run = await runAgent(fixture('exits.mjs'), { args: ['signal'] })
    expect(bySession(run)).toEqual([ABANDONED])
  })
})

describe('errors', () => {
  it('come from the same places of the application', async () => {
    const run = await runAgent(fixture('stacks.mjs'))
    const alone = await runAgent(fixture('stacks.mjs'), { preload: 'none' })
    expect(run.stdout).toBe(alone.stdout)
    expect(run.stderr).toBe(alone.stderr)
    expect(run.events.length).toBeGreaterThan(0)
  })
})

describe('the switches', () => {
  const inputs = ({ events }: AgentRun) => events.map(({ data }) => data.tool_input).filter(Boolean)

  it('redact secrets in what is captured', async () => {
    expect(inputs(await runAgent(fixture('one-call.mjs')))).toEqual([{ secret: '[redacted]', n: 1 }])
  })

  it.each([
    [{ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'false' }, 0],
    [{ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' }, 0],
    [{ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'EVENT_ONLY' }, 1],
    [{ AGENTIC_HOOKS_CAPTURE_CONTENT: 'false' }, 0],
    [{ AGENTIC_HOOKS_CAPTURE_CONTENT: 'ai,langchain' }, 0],
    [
      {
        AGENTIC_HOOKS_CAPTURE_CONTENT: 'ai,mcp',
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'false',
      },
      1,
    ],
  ])('capture content as %j says', async (env, captured) => {
    const run = await runAgent(fixture('one-call.mjs'), { env: env as unknown as Record<string, string> })
    expect(inputs(run)).toHaveLength(captured)
    expect(run.events.filter(({ data }) => data.tool_response)).toHaveLength(captured)
    expect(bySession(run)).toEqual([SESSION])
  })

  it.each([
    [{ AGENTIC_HOOKS_DISABLED_INSTRUMENTATIONS: 'mcp' }, []],
    [{ AGENTIC_HOOKS_ENABLED_INSTRUMENTATIONS: 'ai, langchain' }, []],
    [{ AGENTIC_HOOKS_ENABLED_INSTRUMENTATIONS: 'mcp' }, [SESSION]],
  ])('choose libraries as %j says', async (env, sessions) => {
    const run = await runAgent(fixture('one-call.mjs'), { env: env as unknown as Record<string, string> })
    expect(bySession(run)).toEqual(sessions)
  })

  it('let a module of the application name sessions', async () => {
    const AGENTIC_HOOKS_SESSION_RESOLVER = new URL('fixtures/session-resolver.mjs', import.meta.url).pathname
    const run = await runAgent(fixture('one-call.mjs'), { env: { AGENTIC_HOOKS_SESSION_RESOLVER } })
    expect(new Set(run.events.map(({ sessionId }) => sessionId))).toEqual(new Set(['mcp-none']))
  })
})

describe('a wrong variable', () => {
  const PRELOADED: [string, RunOptions] = ['one-call.mjs', {}]
  const ALONE: [string, RunOptions] = ['without-preload.mjs', { preload: 'none', nodeArgs: LOADER }]
  const WRONG = {
    AGENTIC_HOOKS_REDACT: 'nope',
    AGENTIC_HOOKS_SPOOL: '/dev/null/spool',
    AGENTIC_HOOKS_DURABILITY: 'disk',
    AGENTIC_HOOKS_CAPTURE_CONTENT: 'mcp,mpc,custom',
    AGENTIC_HOOKS_DISABLED_INSTRUMENTATIONS: 'mpc',
    AGENTIC_HOOKS_SESSION_ID: 'x'.repeat(513),
    AGENTIC_HOOKS_SESSION_RESOLVER: './nowhere.mjs',
    OTEL_SDK_DISABLED: 'maybe',
    OTEL_BLRP_MAX_QUEUE_SIZE: 'many',
  }

  it.each([PRELOADED, ALONE])('is warned of once, by name, and ignored (%s)', async (file, options) => {
    const run = await runAgent(fixture(file), { ...options, env: WRONG })
    expect(run.exitCode, run.stderr).toBe(0)
    expect(summarize(run.events)).toEqual(expect.arrayContaining(CALL))
    expect(new Set(run.events.map(({ sessionId }) => sessionId.length))).toEqual(new Set([36]))
    for (const variable of Object.keys(WRONG)) {
      const told = run.stderr.match(new RegExp(`(?:agentic-hooks|AgenticHooksWarning): ${variable} .*`, 'g'))
      expect(told, variable).toHaveLength(1)
    }
  })
})

describe('variables without the preload', () => {
  const run = (env: Record<string, string>) =>
    runAgent(fixture('without-preload.mjs'), { preload: 'none', nodeArgs: LOADER, env })
  const inputs = ({ events }: AgentRun) => events.map(({ data }) => data.tool_input).filter(Boolean)

  it('name sessions, redact and choose libraries and content as they do with it', async () => {
    const AGENTIC_HOOKS_SESSION_RESOLVER = fileURLToPath(fixture('session-resolver.mjs'))
    const [resolved, plain, off, quiet, named] = await Promise.all([
      run({ AGENTIC_HOOKS_SESSION_RESOLVER }),
      run({ AGENTIC_HOOKS_REDACT: 'false' }),
      run({ AGENTIC_HOOKS_DISABLED_INSTRUMENTATIONS: 'mcp' }),
      run({ AGENTIC_HOOKS_CAPTURE_CONTENT: 'false' }),
      run({ AGENTIC_HOOKS_SESSION_ID: 'given' }),
    ])
    expect(new Set(resolved.events.map(({ sessionId }) => sessionId))).toEqual(
      new Set(['mcp-none', 'custom-none']),
    )
    const secret = { secret: 'sk-ant-api03-abcdefghijklmnop', n: 1 }
    expect(inputs(plain)).toEqual([secret, secret])
    expect(inputs(resolved)).toEqual([
      { ...secret, secret: '[redacted]' },
      { ...secret, secret: '[redacted]' },
    ])
    expect(new Set(off.events.map(({ data }) => data.tool_name))).toEqual(new Set([undefined, 'custom']))
    expect(quiet.events).not.toEqual([])
    expect(inputs(quiet)).toEqual([])
    expect(new Set(named.events.map(({ sessionId }) => sessionId))).toEqual(new Set(['given']))
    expect((await run({ OTEL_SDK_DISABLED: 'true' })).events).toEqual([])
  })

  it('keep what cannot be delivered in the directory of AGENTIC_HOOKS_SPOOL', async () => {
    const spool = mkdtempSync(join(tmpdir(), 'environment-spool-'))
    try {
      const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:1'
      const env = {
        OTEL_EXPORTER_OTLP_ENDPOINT,
        AGENTIC_HOOKS_SPOOL: spool,
        AGENTIC_HOOKS_DURABILITY: 'disk',
      }
      expect((await run(env)).exitCode).toBe(0)
      expect(readdirSync(spool)).not.toEqual([])
    } finally {
      rmSync(spool, { recursive: true })
    }
  })
})

describe('an application with sessions of its own', () => {
  it('sees the agents in them, and nobody else starts or ends what it records', async () => {
    const run = await runAgent(fixture('own-session.mjs'))
    // Two clients deliver them; the ids have the order in which they were emitted.
    const events = run.events.toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1))
    const asked = [
      'tool_execution_started ask',
      'session_started',
      'tool_execution_started work',
      'progress',
      'tool_execution_completed work',
      'tool_execution_completed ask',
      'session_completed',
    ]
    expect(bySession({ ...run, events })).toEqual([SESSION, SESSION, asked])
    const dataOf = (type: string, tool?: string) =>
      events.find(
        ({ sessionId, eventType, data }) =>
          sessionId === 'asked' && eventType === type && data.tool_name === tool,
      )?.data
    const ask = dataOf('tool_execution_started', 'ask')
    const work = dataOf('tool_execution_started', 'work')
    expect(work?.parent_tool_use_id).toBe(ask?.tool_use_id)
    expect(dataOf('progress')?.parent_tool_use_id).toBe(work?.tool_use_id)
    const calls = events.filter(({ sessionId }) => sessionId === 'recorded')
    expect(new Set(calls.map(({ data }) => data.agent_id))).toEqual(new Set(['a1']))
    expect(run.stderr).toBe('')
  })
})

describe('instrumentTool', () => {
  it('reports the calls of a function, which stays as it is', async () => {
    const run = await runAgent(fixture('custom-tool.mjs'), { preload: 'none' })
    expect(run.stdout).toBe("[ 'hooks' ] 3 search 1\nError: nothing found\n")
    expect(bySession(run)).toEqual([
      [
        'session_started',
        'tool_execution_started search',
        'tool_execution_completed search',
        'tool_execution_started calculator',
        'tool_execution_completed calculator',
        'tool_execution_started search',
        'tool_execution_completed search failed: nothing found',
        'session_completed',
      ],
    ])
    const calculator = run.events.filter(({ data }) => data.tool_name === 'calculator')
    expect(calculator.map(({ data }) => [data.tool_input, data.tool_response])).toEqual([
      [[1, 2], undefined],
      [undefined, 3],
    ])
  })
})
