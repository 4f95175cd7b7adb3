import { uuidv7 } from '@agentic-hooks/events'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { json, send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { describe, expect, it } from 'vitest'

const EVENT = { event_type: 'tool_execution_started', session_id: 's1', data: { tool_name: 'Bash' } }

const post = (url: string, path: string, body: unknown) =>
  send(url, {
    path,
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

describe('POST /events', () => {
  it('answers 202 once the event is stored', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const answer = await post(receiver.url, '/events', EVENT)
    expect([answer.status, json(answer)]).toEqual([202, { accepted: 1, message: 'Events accepted' }])
    expect(answer.headers['content-type']).toBe('application/json')
    expect(sink.records).toMatchObject([{ eventType: 'tool_execution_started', sessionId: 's1' }])
  })

  it('answers 422 with the path of every wrong field', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const answer = await post(receiver.url, '/events', { session_id: 5, data: [], timestamp: 'yesterday' })
    expect(answer.status).toBe(422)
    expect(json(answer)).toEqual({
      detail: [
        { type: 'missing', loc: ['body', 'event_type'], msg: 'is required' },
        {
          type: 'value_error',
          loc: ['body', 'session_id'],
          msg: expect.stringContaining('must be a string'),
        },
        { type: 'value_error', loc: ['body', 'timestamp'], msg: expect.stringContaining('ISO 8601') },
        { type: 'value_error', loc: ['body', 'data'], msg: expect.stringContaining('must be an object') },
      ],
    })
    expect(sink.calls).toEqual([])
  })

  it('answers 422 to something else than an object', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    for (const body of ['[]', '1', 'null', '"text"']) {
      const answer = await post(receiver.url, '/events', body)
      expect(answer.status, body).toBe(422)
      expect(json(answer)).toMatchObject({ detail: [{ loc: ['body'] }] })
    }
  })

  it('answers 400 to a syntax error', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    for (const body of ['', '{', '{NaN:1}']) {
      const answer = await post(receiver.url, '/events', body)
      expect(answer.status, body).toBe(400)
      expect(json(answer)).toEqual({ detail: expect.any(String) })
    }
  })

  it('answers 405 with Allow to other methods', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    for (const path of ['/events', '/events/batch']) {
      const answer = await send(receiver.url, { method: 'GET', path })
      expect([answer.status, answer.headers.allow]).toEqual([405, 'POST'])
      expect(json(answer)).toEqual({ detail: expect.any(String) })
    }
  })

  it('answers 503 with Retry-After while storage fails', async () => {
    const sink = new SinkExporter()
    sink.fail()
    await using receiver = await startTestReceiver([sink], { EXPORT_RETRY_MILLIS: '0' })
    const answer = await post(receiver.url, '/events', EVENT)
    expect(answer.status).toBe(503)
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expect(json(answer)).toEqual({ detail: 'sink cannot store now' })
  })

  it('answers 422 when the store can never hold the event', async () => {
    const sink = new SinkExporter()
    sink.reject(() => 'is poison')
    await using receiver = await startTestReceiver([sink])
    const answer = await post(receiver.url, '/events', { ...EVENT, event_id: uuidv7() })
    expect(answer.status).toBe(422)
    expect(json(answer)).toMatchObject({ detail: [{ msg: 'is poison' }] })
  })

  it('stores an event although its client did not wait', async () => {
    const sink = new SinkExporter()
    sink.hang()
    await using receiver = await startTestReceiver([sink])
    const aborted = new AbortController()
    const posted = fetch(`${receiver.url}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(EVENT),
      signal: aborted.signal,
    })
    const left = expect(posted).rejects.toThrow()
    await expect.poll(() => sink.calls.length).toBe(1)
    aborted.abort()
    await left
    sink.recover()
    await expect.poll(() => sink.records.length).toBe(1)
  })
})

describe('POST /events/batch', () => {
  it('answers 202 with the number of events', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const answer = await post(receiver.url, '/events/batch', [EVENT, EVENT, EVENT])
    expect([answer.status, json(answer)]).toEqual([202, { accepted: 3, message: 'Events accepted' }])
    expect(sink.records).toHaveLength(3)
  })

  it('answers 202 to an empty batch', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const answer = await post(receiver.url, '/events/batch', [])
    expect([answer.status, json(answer)]).toEqual([202, { accepted: 0, message: 'Events accepted' }])
  })

  it('stores the right events of a batch, and names the index and the fields of the others', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const odd = [
      { ...EVENT, event_type: '' },
      { ...EVENT, workflow_id: 'w'.repeat(513) },
      { ...EVENT, timestamp: '1969-12-31T23:59:59Z' },
      { ...EVENT, timestamp: 1e300, data: [] },
      { ...EVENT, session_id: undefined },
      null,
    ]
    const answer = await post(receiver.url, '/events/batch', [EVENT, ...odd, EVENT])
    expect([answer.status, json(answer)]).toEqual([
      202,
      {
        accepted: 2,
        message: '6 events rejected',
        detail: [
          { type: 'missing', loc: ['body', 1, 'event_type'], msg: 'is required' },
          {
            type: 'value_error',
            loc: ['body', 2, 'workflow_id'],
            msg: 'is 513 characters long; at most 512 can be stored',
          },
          { type: 'value_error', loc: ['body', 3, 'timestamp'], msg: 'must be from 1970 to 2255-06-05' },
          { type: 'value_error', loc: ['body', 4, 'timestamp'], msg: 'must be from 1970 to 2255-06-05' },
          { type: 'value_error', loc: ['body', 4, 'data'], msg: 'must be an object, not an array' },
          { type: 'missing', loc: ['body', 5, 'session_id'], msg: 'is required' },
          { type: 'value_error', loc: ['body', 6], msg: 'must be a JSON object' },
        ],
      },
    ])
    expect(sink.records).toHaveLength(2)
  })

  it('answers 422 when no event of a batch is right', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const answer = await post(receiver.url, '/events/batch', Array(1000).fill({ event_type: 'custom' }))
    expect(answer.status).toBe(422)
    expect((json(answer) as { detail: unknown[] }).detail).toHaveLength(100)
  })

  it('stores NaN and infinities, as Python writes them, as strings', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const body = '[{"event_type":"t","session_id":"s","data":{"a":NaN,"b":[-Infinity, Infinity]}}]'
    const answer = await post(receiver.url, '/events/batch', body)
    expect(answer.status).toBe(202)
    expect(Buffer.from(sink.records[0]!.data).toString()).toBe('{"a":"NaN","b":["-Infinity","Infinity"]}')
  })

  it('stores nothing of a batch with a wrong event with ?strict=true, and names its index', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const batch = [EVENT, EVENT, { event_type: 'custom' }, 7]
    const answer = await post(receiver.url, '/events/batch?strict=true', batch)
    expect(answer.status).toBe(422)
    expect(json(answer)).toEqual({
      detail: [
        { type: 'missing', loc: ['body', 2, 'session_id'], msg: 'is required' },
        { type: 'value_error', loc: ['body', 3], msg: 'must be a JSON object' },
      ],
    })
    expect(sink.calls).toEqual([])
  })

  it('counts an event that comes again as accepted', async () => {
    const sink = new SinkExporter()
    await using receiver = await startTestReceiver([sink])
    const batch = [{ ...EVENT, event_id: uuidv7() }]
    await post(receiver.url, '/events/batch', batch)
    expect(json(await post(receiver.url, '/events/batch', batch))).toMatchObject({ accepted: 1 })
    expect(sink.records).toHaveLength(1)
  })

  it('tells which events the store can never hold, and stores the rest', async () => {
    const sink = new SinkExporter()
    sink.reject(({ eventType }) => (eventType === 'poison' ? 'is poison' : null))
    await using receiver = await startTestReceiver([sink])
    const poison = { ...EVENT, event_type: 'poison', event_id: uuidv7() }
    const answer = await post(receiver.url, '/events/batch', [EVENT, poison, EVENT])
    expect(answer.status).toBe(202)
    expect(json(answer)).toEqual({
      accepted: 2,
      message: '1 events rejected',
      detail: [{ type: 'value_error', loc: ['body', poison.event_id], msg: 'is poison' }],
    })
  })

  it('answers 413 to more events than one request may have', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], { MAX_REQUEST_EVENTS: '2' })
    expect((await post(receiver.url, '/events/batch', [EVENT, EVENT])).status).toBe(202)
    expect((await post(receiver.url, '/events/batch', [EVENT, EVENT, EVENT])).status).toBe(413)
  })
})

describe('MAX_CLIENT_EVENTS_PER_SECOND', () => {
  it('answers 429 with Retry-After to a client that sends more, until it has waited', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], {
      MAX_CLIENT_EVENTS_PER_SECOND: '2',
    })
    expect((await post(receiver.url, '/events/batch', [EVENT, EVENT, EVENT, EVENT])).status).toBe(202)
    const refused = await post(receiver.url, '/events', EVENT)
    expect(refused.status).toBe(429)
    expect(refused.headers['retry-after']).toBe('1')
    await expect
      .poll(async () => (await post(receiver.url, '/events', EVENT)).status, { timeout: 5_000 })
      .toBe(202)
  })

  it('counts each token for itself', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], {
      MAX_CLIENT_EVENTS_PER_SECOND: '1',
      AUTH_TOKENS: 'one,two',
    })
    const postAs = async (token: string) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
      const body = JSON.stringify([EVENT, EVENT, EVENT])
      return (await send(receiver.url, { path: '/events/batch', headers, body })).status
    }
    expect(await postAs('one')).toBe(202)
    expect(await postAs('one')).toBe(429)
    expect(await postAs('two')).toBe(202)
  })
})
