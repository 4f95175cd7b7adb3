import { SinkExporter } from '@agentic-hooks/events/testing'
import { json, send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { describe, expect, it, vi } from 'vitest'

const get = (url: string, path: string) => send(url, { method: 'GET', path })

const postEvents = (url: string, events: readonly object[]) =>
  send(url, {
    path: '/events/batch',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })

const event = (fields: object = {}) => ({ event_type: 'custom', session_id: 's1', ...fields })

/** The samples of /metrics by name and labels. */
async function scrape(url: string): Promise<Map<string, number>> {
  const answer = await get(url, '/metrics')
  const samples = answer.body
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  )
}

describe('GET /metrics', () => {
  it('is Prometheus text, also at the path of the original service', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    for (const path of ['/metrics', '/metrics/prometheus']) {
      const answer = await get(receiver.url, path)
      expect(answer.status).toBe(200)
      expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    }
  })

  it('shows every counter from the start, at zero', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const samples = await scrape(receiver.url)
    for (const name of ['received', 'accepted', 'duplicate', 'rejected', 'refused']) {
      for (const protocol of ['otlp_protobuf', 'otlp_json', 'rest', 'hook']) {
        expect(samples.get(`hooks_events_${name}_total{protocol="${protocol}"}`)).toBe(0)
      }
    }
    for (const name of [
      'hooks_events_stored_total',
      'hooks_storage_errors_total',
      'hooks_export_retries_total',
    ]) {
      expect(samples.get(`${name}{exporter="sink"}`)).toBe(0)
    }
    expect(samples.get('hooks_uptime_seconds')).toBeGreaterThan(0)
    expect(samples.get('hooks_in_flight_limit_bytes')).toBe(256 * 1024 * 1024)
    expect([...samples.keys()].join()).toMatch(/process_cpu_seconds_total.*nodejs_eventloop_lag_seconds/)
  })

  it('counts events as received, accepted and stored, those there before as duplicates', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const known = event({ event_id: '01980000-0000-7000-8000-000000000001' })
    await postEvents(receiver.url, [known, event()])
    await postEvents(receiver.url, [known, event(), event()])
    const samples = await scrape(receiver.url)
    expect(samples.get('hooks_events_received_total{protocol="rest"}')).toBe(5)
    expect(samples.get('hooks_events_accepted_total{protocol="rest"}')).toBe(5)
    expect(samples.get('hooks_events_duplicate_total{protocol="rest"}')).toBe(1)
    expect(samples.get('hooks_events_stored_total{exporter="sink"}')).toBe(4)
    expect(samples.get('hooks_batch_size_events_sum{protocol="rest"}')).toBe(5)
    expect(samples.get('hooks_request_duration_seconds_count{protocol="rest",code="202"}')).toBe(2)
    expect(samples.get('hooks_export_duration_seconds_count{exporter="sink"}')).toBe(2)
  })

  it('counts events that can never be stored as rejected', async () => {
    const sink = new SinkExporter()
    sink.reject(({ eventType }) => (eventType === 'poison' ? 'is poison' : null))
    await using receiver = await startTestReceiver([sink])
    await postEvents(receiver.url, [event(), event({ event_type: 'poison' })])
    const samples = await scrape(receiver.url)
    expect(samples.get('hooks_events_accepted_total{protocol="rest"}')).toBe(1)
    expect(samples.get('hooks_events_rejected_total{protocol="rest"}')).toBe(1)
  })

  it('counts events that are to be sent again as refused, and every failed attempt', async () => {
    const sink = new SinkExporter()
    sink.fail()
    await using receiver = await startTestReceiver([sink], { EXPORT_RETRY_MILLIS: '200' })
    expect((await postEvents(receiver.url, [event(), event()])).status).toBe(503)
    const samples = await scrape(receiver.url)
    expect(samples.get('hooks_events_refused_total{protocol="rest"}')).toBe(2)
    expect(samples.get('hooks_storage_errors_total{exporter="sink"}')).toBe(sink.calls.length)
    expect(samples.get('hooks_export_retries_total{exporter="sink"}')).toBe(sink.calls.length - 1)
    expect(sink.calls.length).toBeGreaterThan(1)
  })

  it('counts events as refused whose client left before they were stored', async () => {
    const sink = new SinkExporter()
    sink.hang()
    await using receiver = await startTestReceiver([sink])
    const controller = new AbortController()
    const posted = fetch(`${receiver.url}/v1/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}',
      signal: controller.signal,
    })
    await vi.waitFor(() => expect(sink.calls).toHaveLength(1))
    controller.abort()
    await expect(posted).rejects.toThrow()
    await vi.waitFor(async () => {
      const samples = await scrape(receiver.url)
      expect(samples.get('hooks_events_refused_total{protocol="otlp_json"}')).toBe(1)
    })
    sink.recover()
  })

  it('shows what is in flight and for how long', async () => {
    const sink = new SinkExporter()
    sink.hang()
    await using receiver = await startTestReceiver([sink])
    const posted = postEvents(receiver.url, [event()])
    await vi.waitFor(() => expect(sink.calls).toHaveLength(1))
    const samples = await scrape(receiver.url)
    expect(samples.get('hooks_in_flight_requests')).toBe(1)
    expect(samples.get('hooks_in_flight_bytes')).toBeGreaterThan(0)
    expect(samples.get('hooks_queue_age_seconds')).toBeGreaterThan(0)
    sink.recover()
    await posted
    expect((await scrape(receiver.url)).get('hooks_in_flight_bytes')).toBe(0)
  })

  it('is rendered ten times a second at most, whoever asks how often', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const startedAt = performance.now()
    const answers = await Promise.all(Array.from({ length: 100 }, () => get(receiver.url, '/metrics')))
    const seconds = (performance.now() - startedAt) / 1000
    const uptimes = answers.map(({ body }) => /^hooks_uptime_seconds .*$/m.exec(body.toString())?.[0])
    expect(uptimes).not.toContain(undefined)
    expect(new Set(uptimes).size).toBeLessThanOrEqual(10 * Math.ceil(seconds + 1))
    expect(new Set(uptimes).size).toBeLessThan(100)
  })

  it('makes no label of what clients send', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    await postEvents(receiver.url, [event({ event_type: 'client-made', session_id: 'client-made' })])
    await get(receiver.url, '/client-made')
    expect((await get(receiver.url, '/metrics')).body.toString()).not.toContain('client-made')
  })
})

describe('GET /health', () => {
  it('answers as the original service does', async () => {
    const sink = new SinkExporter('postgres')
    await using receiver = await startTestReceiver([sink])
    const answer = await get(receiver.url, '/health')
    expect(json(answer)).toEqual({ status: 'healthy', storage: 'postgres', version: expect.any(String) })
  })

  it('is unhealthy but alive, and not ready, while storage fails', async () => {
    const sink = new SinkExporter()
    sink.fail(new Error('disk full'))
    await using receiver = await startTestReceiver([sink])
    expect(json(await get(receiver.url, '/health'))).toMatchObject({ status: 'unhealthy' })
    expect((await get(receiver.url, '/health/live')).status).toBe(200)
    const ready = await get(receiver.url, '/health/ready')
    expect(ready.status).toBe(503)
    expect(json(ready)).toEqual({ status: 'not ready', reason: 'sink: disk full' })
    sink.recover()
    await vi.waitFor(async () => expect((await get(receiver.url, '/health/ready')).status).toBe(200), 5_000)
  })

  it('does not tell why it is not ready, where others than the machine itself could ask without a token', async () => {
    const sink = new SinkExporter()
    sink.fail(new Error('connect ECONNREFUSED 10.1.2.3:5432'))
    const reason = async (env: Record<string, string>, headers = {}) => {
      await using receiver = await startTestReceiver([sink], env)
      const all = await Promise.all(
        ['/health', '/health/ready'].map((path) => send(receiver.url, { method: 'GET', path, headers })),
      )
      expect(all.map(({ status }) => status)).toEqual([200, 503])
      return all.map(({ body }) => body.toString()).join()
    }
    const withToken = { AUTH_TOKENS: 'one' }
    expect(await reason(withToken)).not.toContain('10.1.2.3')
    expect(await reason(withToken, { authorization: 'Bearer two' })).not.toContain('10.1.2.3')
    expect(await reason(withToken, { authorization: 'Bearer one' })).toContain('10.1.2.3')
    expect(await reason({ HOST: '0.0.0.0' })).not.toContain('10.1.2.3')
    expect(await reason({})).toContain('10.1.2.3')
  })

  it('answers 405 with Allow to other methods', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    for (const path of ['/health', '/health/live', '/health/ready', '/metrics']) {
      const answer = await send(receiver.url, { path })
      expect([answer.status, answer.headers.allow], path).toEqual([405, 'GET, HEAD'])
    }
  })
})

describe('ADMIN_PORT', () => {
  it('takes /metrics and /health away from the public port, and needs no token', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], {
      ADMIN_PORT: '0',
      AUTH_TOKENS: 'one',
    })
    for (const path of ['/metrics', '/health', '/health/live', '/health/ready']) {
      expect((await get(receiver.adminUrl!, path)).status, path).toBe(200)
      expect((await get(receiver.url, path)).status, path).toBe(401)
    }
    expect((await send(receiver.adminUrl!, { path: '/events', body: '{}' })).status).toBe(404)
  })
})
