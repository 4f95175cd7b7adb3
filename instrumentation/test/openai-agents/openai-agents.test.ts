import { describe, expect, it } from 'vitest'
import { describeLibrary } from '../register/library.ts'
import { runAgent, summarize } from '../register/run-agent.ts'
import { expected } from './expected.ts'

const folder = new URL('./', import.meta.url)

describeLibrary('openai-agents', folder, expected)

describe('openai-agents without its tracing', () => {
  it('reports the same', async () => {
    const { events } = await runAgent(new URL('agent.mjs', folder), { env: { WITHOUT_TRACING: '1' } })
    const bySession = Map.groupBy(events, ({ sessionId }) => sessionId)
    const summaries = [...bySession].map(([session, itsEvents]) => [session, summarize(itsEvents)])
    expect(Object.fromEntries(summaries)).toEqual(expected)
  })
})
