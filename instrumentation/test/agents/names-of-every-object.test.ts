import { describe, expect, it } from 'vitest'
import { joined } from '../../src/agents/data.ts'
import { AgentRecorder } from '../../src/agents/recorder.ts'
import { messages } from '../../src/libraries/anthropic/answers.ts'
import { QueryEvents } from '../../src/libraries/claude-agent-sdk/query-events.ts'
import { chatCompletions } from '../../src/libraries/openai/answers.ts'

/** What a lookup in a plain object finds although nobody put it there. */
const NAMES = Object.getOwnPropertyNames(Object.prototype)

/** A model's server may send anything where a number belongs. */
const asIndex = (name: string) => name as unknown as number

describe('names that every object has', () => {
  it('stay members of data like any other', () => {
    const data = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')
    const both = joined({ kept: 1 }, data)
    expect(Object.keys(both)).toEqual(['kept', '__proto__', 'constructor'])
    expect(both.polluted).toBeUndefined()
  })

  it.each(NAMES)('%s as the index of a tool call in a stream of OpenAI changes nothing else', (name) => {
    const { add, answer } = chatCompletions.assembler()
    const tool_calls = [{ index: asIndex(name), id: 'call', function: { name: 'Bash', arguments: '{}' } }]
    add({ choices: [{ delta: { tool_calls } }] })
    expect(answer().output).toMatchObject({
      tool_calls: [{ id: 'call', function: { name: 'Bash', arguments: '{}' } }],
    })
    expect(Object.keys(Array.prototype)).toEqual([])
    expect('id' in []).toBe(false)
  })

  it.each(NAMES)('%s as the index of a block in a stream of Anthropic changes nothing else', (name) => {
    const { add, answer } = messages.assembler()
    const index = asIndex(name)
    add({ type: 'content_block_delta', index, delta: { text: 'polluted' } })
    add({ type: 'content_block_start', index, content_block: { type: 'text' } })
    add({ type: 'content_block_delta', index, delta: { text: 'hello' } })
    expect(answer().output).toEqual([{ type: 'text', text: 'hello' }])
    expect('text' in []).toBe(false)
  })

  it.each(NAMES)('%s as the name of a hook is the type of an event', (name) => {
    const types: string[] = []
    const emitter = { emit: ({ eventType }: { eventType: string }) => void types.push(eventType) }
    const recorder = new AgentRecorder({ framework: 'test', captureContent: true, emitter } as never)
    new QueryEvents(recorder, false, undefined).hook({ hook_event_name: name, session_id: 's' } as never)
    expect(types.at(-1)?.replaceAll('_', '')).toBe(name.replaceAll('_', '').toLowerCase())
  })
})
