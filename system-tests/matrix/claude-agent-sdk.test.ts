import { beforeAll, describe, expect, it } from 'vitest'
import {
  type AgentRun,
  type Preload,
  runAgent,
  summarize,
} from '../../instrumentation/test/register/run-agent.ts'
import { claudeAgentSdk } from './expected.ts'

const VARIANTS: { file: string; preload: Preload }[] = [
  { file: 'agent.mjs', preload: 'require' },
  { file: 'agent.mjs', preload: 'import' },
  { file: 'agent.cjs', preload: 'require' },
  { file: 'agent.cjs', preload: 'import' },
]

describe.each(VARIANTS)(
  'claude-agent-sdk with the real command line: $file with --$preload',
  ({ file, preload }) => {
    let run: AgentRun
    const byPrompt = new Map<unknown, string[]>()

    beforeAll(async () => {
      run = await runAgent(new URL(`claude-agent-sdk/${file}`, import.meta.url), { preload })
      for (const session of Map.groupBy(run.events, ({ sessionId }) => sessionId).values()) {
        const prompt = session.find(({ eventType }) => eventType === 'user_prompt_submitted')?.data.prompt
        byPrompt.set(prompt, summarize(session.filter(({ eventType }) => eventType !== 'agent_initialized')))
      }
    })

    it.each(Object.keys(claudeAgentSdk))('reports %s', (scenario) => {
      expect(byPrompt.get(scenario), run.stderr).toEqual(claudeAgentSdk[scenario])
    })

    it('reports nothing else', () => {
      expect([...byPrompt.keys()].sort()).toEqual(Object.keys(claudeAgentSdk).sort())
    })

    it('says once a session which command line it is', () => {
      const versions = run.events.filter(({ eventType }) => eventType === 'agent_initialized')
      expect(versions).toHaveLength(byPrompt.size)
      expect(versions[0]?.data).toMatchObject({
        model: expect.any(String),
        claude_code_version: expect.any(String),
      })
    })

    it('leaves the application as it is', async () => {
      const alone = await runAgent(new URL(`claude-agent-sdk/${file}`, import.meta.url), { preload: 'none' })
      expect(run.stdout).toBe(alone.stdout)
      expect(run.stderr).toBe(alone.stderr)
      expect(run.exitCode).toBe(alone.exitCode)
    })
  },
)
