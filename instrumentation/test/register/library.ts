import { beforeAll, describe, expect, it } from 'vitest'
import { type AgentRun, type Preload, type RunOptions, runAgent, summarize } from './run-agent.ts'

/** What happens in a scenario, and the session that its events are expected in. */
export type Expected = Readonly<Record<string, readonly string[]>>

interface Variant {
  readonly file: 'agent.mjs' | 'agent.cjs'
  readonly preload: Preload
}

/** The matrix adds CommonJS with --import. */
const VARIANTS: readonly Variant[] = [
  ...(process.env.MATRIX ? [{ file: 'agent.cjs', preload: 'import' } as const] : []),
  { file: 'agent.mjs', preload: 'require' },
  { file: 'agent.mjs', preload: 'import' },
  { file: 'agent.cjs', preload: 'require' },
]

/**
 * Runs a library's agent (`agent.mjs`, `agent.cjs`), which plays each scenario in a session of that name, with the
 * preload and without, and compares the events of each scenario with what is expected.
 */
export function describeLibrary(
  library: string,
  folder: URL,
  expected: Expected,
  options: Pick<RunOptions, 'env' | 'node'> = {},
): void {
  describe.each(VARIANTS)(`${library}: $file with --$preload`, ({ file, preload }) => {
    let run: AgentRun

    beforeAll(async () => {
      run = await runAgent(new URL(file, folder), { ...options, preload })
    })

    it.each(Object.keys(expected))('reports %s', (scenario) => {
      const events = run.events.filter(({ sessionId }) => sessionId === scenario)
      expect(summarize(events), run.stderr).toEqual(expected[scenario])
    })

    it('reports nothing else', () => {
      const sessions = new Set(run.events.map(({ sessionId }) => sessionId))
      expect([...sessions].sort()).toEqual(Object.keys(expected).sort())
    })

    it('completes whatever it started', () => {
      expect(unfinished(run)).toEqual([])
    })

    it('leaves the application as it is', async () => {
      const alone = await runAgent(new URL(file, folder), { ...options, preload: 'none' })
      expect(run.stdout).toEqual(alone.stdout)
      expect(run.stderr).toEqual(alone.stderr)
      expect(run.exitCode).toEqual(alone.exitCode)
    })
  })
}

/** Started events whose id no completed or blocked event has. */
function unfinished({ events }: AgentRun): unknown[] {
  const idOf = ({ data }: AgentRun['events'][number]) => data.tool_use_id ?? data.request_id ?? data.agent_id
  const ended = new Set(
    events.filter(({ eventType }) => /_(completed|blocked|stopped)$/.test(eventType)).map(idOf),
  )
  return events.filter(
    (event) =>
      event.eventType.endsWith('_started') &&
      event.eventType !== 'session_started' &&
      !ended.has(idOf(event)),
  )
}
