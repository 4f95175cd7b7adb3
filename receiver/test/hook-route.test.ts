import { readFileSync } from 'node:fs'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { json, send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { describe, expect, it, vi } from 'vitest'

const CAPTURED = readFileSync(new URL('../fixtures/claude-code/hooks.jsonl', import.meta.url), 'utf8')
const STOP = '{"session_id":"s1","hook_event_name":"Stop"}'

const post = (url: string, body: string, path = '/hooks/claude-code') =>
  send(url, { path, headers: { 'content-type': 'application/json' }, body })

describe('POST /hooks/claude-code', () => {
  it('answers 200 with an empty body once the event is stored, to every hook of a real session', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    for (const body of CAPTURED.trim().split('\n')) {
      const stored = sink.records.length
      const answer = await post(receiver.url, body)
      expect([answer.status, answer.body.toString()], body).toEqual([200, ''])
      expect(sink.records.length).toBeGreaterThan(stored)
    }
  })

  it('stores an event that nobody has heard of as a custom type', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const answer = await post(receiver.url, '{"session_id":"s1","hook_event_name":"NotYetInvented"}')
    expect(answer.status).toBe(200)
    expect(sink.records).toMatchObject([{ eventType: 'not_yet_invented', sessionId: 's1' }])
  })

  it('answers 503 when storage takes longer than the bound, counts that, and stores the event still', async () => {
    const sink = new SinkExporter()
    sink.hang()
    await using receiver = await startTestReceiver([sink], { HOOK_TIMEOUT_MILLIS: '50' })
    const answer = await post(receiver.url, STOP)
    expect(answer.status).toBe(503)
    expect(json(answer)).toEqual({ detail: 'storage did not answer in 50 ms' })
    const { body } = await send(receiver.url, { method: 'GET', path: '/metrics' })
    expect(body.toString()).toContain('hooks_events_refused_total{protocol="hook"} 1')
    sink.recover()
    await vi.waitFor(() => expect(sink.records).toHaveLength(1))
  })

  it('answers 503 at the bound while storage fails, although others are still waiting for a retry', async () => {
    const sink = new SinkExporter()
    sink.fail()
    await using receiver = await startTestReceiver([sink], { HOOK_TIMEOUT_MILLIS: '50' })
    expect((await post(receiver.url, STOP)).status).toBe(503)
    sink.recover()
    await vi.waitFor(() => expect(sink.records).toHaveLength(1))
  })

  it('stores the event of an agent that did not wait for the answer', async () => {
    const sink = new SinkExporter()
    sink.hang()
    await using receiver = await startTestReceiver([sink])
    const leave = new AbortController()
    const posted = fetch(`${receiver.url}/hooks/claude-code`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: STOP,
      signal: leave.signal,
    })
    const left = expect(posted).rejects.toThrow()
    await vi.waitFor(() => expect(sink.calls).toHaveLength(1))
    leave.abort()
    await left
    sink.recover()
    await vi.waitFor(() => expect(sink.records).toHaveLength(1))
  })

  it('answers 422 to an object that is no hook, 400 to what is no JSON, 415 to another type', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const answer = await post(receiver.url, '{"session_id":"s1"}')
    expect([answer.status, json(answer)]).toEqual([
      422,
      { detail: [{ type: 'missing', loc: ['body', 'hook_event_name'], msg: 'is required' }] },
    ])
    expect((await post(receiver.url, 'Stop')).status).toBe(400)
    expect((await send(receiver.url, { path: '/hooks/claude-code', body: STOP })).status).toBe(415)
  })

  it('answers 404 to an agent that is not known, 405 to other methods', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    expect((await post(receiver.url, STOP, '/hooks/unknown')).status).toBe(404)
    expect((await send(receiver.url, { method: 'GET', path: '/hooks/claude-code' })).status).toBe(405)
  })
})
