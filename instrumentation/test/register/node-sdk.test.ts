import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type RunOptions, runAgent, summarize } from './run-agent.ts'

const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url)
const LOADER = ['--import', fileURLToPath(fixture('otel-loader.mjs'))]

// Its processor is flushed and shut down before the process ends, so the session's end finds nobody to take it.
const EVENTS = ['session_started', 'tool_execution_started work', 'tool_execution_completed work']

/** Exporters of the application: logs to the test, no traces and metrics. */
const ENVIRONMENT = { OTEL_METRICS_EXPORTER: 'none', OTEL_SERVICE_NAME: 'their-agent' }

describe('an application with a NodeSDK of its own', () => {
  it.each<[string, string, RunOptions]>([
    ['the instrumentations that it lists', 'node-sdk.cjs', { preload: 'none', args: ['listed'] }],
    [
      'the instrumentations that it lists',
      'node-sdk.mjs',
      { preload: 'none', args: ['listed'], nodeArgs: LOADER },
    ],
    ['the preload', 'node-sdk.cjs', {}],
    ['the preload', 'node-sdk.mjs', {}],
    ['the preload', 'node-sdk.mjs', { preload: 'import' }],
    ['both', 'node-sdk.cjs', { args: ['listed'] }],
    ['both', 'node-sdk.mjs', { args: ['listed'], nodeArgs: LOADER }],
  ])('gets the events of %s through its own provider, once (%s, %j)', async (_whose, file, options) => {
    const run = await runAgent(fixture(file), { ...options, env: ENVIRONMENT })
    const [traceId, rest] = run.stdout.split('\n')
    expect(summarize(run.events), run.stderr).toEqual(EVENTS)
    expect(new Set(run.events.map(({ scopeName }) => scopeName))).toEqual(
      new Set(['@agentic-hooks/instrumentation/mcp']),
    )
    expect(new Set(run.events.map((event) => event.traceId))).toEqual(new Set([traceId]))
    expect(new Set(run.events.map(({ serviceName }) => serviceName))).toEqual(new Set(['their-agent']))
    // OpenTelemetry's own instrumentation works beside it; ES modules have it only with its loader.
    const hasHttp = file.endsWith('.cjs') || options.nodeArgs === LOADER
    expect(rest).toBe(`${hasHttp ? 'GET,GET,' : ''}work true`)
    expect(run.stderr).toBe('')
  })
})
