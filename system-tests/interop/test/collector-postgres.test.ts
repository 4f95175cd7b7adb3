import { HookClient, type HookEvent } from '@agentic-hooks/instrumentation'
import { type RunningCollector, startCollector } from '@agentic-hooks/testing/collector/collector'
import { freePort, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { countStored, storedRows } from '../database.ts'
import { MISSING } from '../peers.ts'

const SETTLE = { timeout: 60_000, interval: 100 }
/** A client that outlives whatever happens to the Collector. */
const PATIENT = {
  maxRetryAttempts: 1000,
  retryInitialDelayMillis: 50,
  retryMaxDelayMillis: 200,
  maxQueueSize: 100_000,
}
/** So that an outage of the receiver is over soon after it comes back. */
const IMPATIENT = [
  'yaml:exporters::otlp_http::retry_on_failure::initial_interval: 100ms',
  'yaml:exporters::otlp_http::retry_on_failure::max_interval: 500ms',
]

describe.skipIf(MISSING.collector)('HookClient -> Collector -> receiver -> PostgreSQL', () => {
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres?.stop())

  it.each(['none', 'gzip', 'zstd'])(
    'stores with compression %s what arrives directly, and the same',
    async (compression) => {
      const [direct, viaCollector] = [await postgres.createDatabase(), await postgres.createDatabase()]
      await using near = await startReceiver({ env: { DATABASE_URL: direct } })
      await using far = await startReceiver({ env: { DATABASE_URL: viaCollector } })
      await using collector = await startCollector({
        receiverUrl: far.url,
        env: { RECEIVER_COMPRESSION: compression },
      })
      for (const endpoint of [near.url, collector.url]) {
        await using client = new HookClient({ endpoint })
        client.emitMany(EVENTS)
        expect(await client.flush()).toMatchObject({ delivered: EVENTS.length, dropped: 0 })
      }
      await vi.waitFor(async () => expect((await countStored(viaCollector)).rows).toBe(EVENTS.length), SETTLE)
      expect(await storedRows(viaCollector)).toEqual(await storedRows(direct))
    },
  )

  it('loses nothing and stores nothing twice when the Collector is killed under load', async () => {
    const databaseUrl = await postgres.createDatabase()
    await using receiver = await startReceiver({ env: { DATABASE_URL: databaseUrl } })
    await using collector = await startCollector({ receiverUrl: receiver.url, overlays: IMPATIENT })
    await using client = new HookClient({ endpoint: collector.url, ...PATIENT })
    const load = startLoad(client)
    for (let kills = 0; kills < 3; kills++) {
      await deliveredMore(client, 1000)
      await collector.kill()
      await collector.start()
    }
    await expectAllStored(load.stop(), client, databaseUrl)
  })

  it('loses nothing and stores nothing twice when the receiver is killed under load', async () => {
    const databaseUrl = await postgres.createDatabase()
    const start = await receiverOnOnePort(databaseUrl)
    let receiver = await start()
    try {
      await using collector = await startCollector({ receiverUrl: receiver.url, overlays: IMPATIENT })
      await using client = new HookClient({ endpoint: collector.url, ...PATIENT })
      const load = startLoad(client)
      for (let kills = 0; kills < 3; kills++) {
        await storedMore(databaseUrl, 1000)
        receiver.kill('SIGKILL')
        await receiver.exited
        await deliveredMore(client, 1000) // the Collector takes them while nobody stores them
        receiver = await start()
      }
      await expectAllStored(load.stop(), client, databaseUrl)
    } finally {
      await receiver.stop()
    }
  })

  it('keeps on disk, over its own restart and its own crash, what the receiver was not there to take', async () => {
    const databaseUrl = await postgres.createDatabase()
    const start = await receiverOnOnePort(databaseUrl)
    const receiver = await start()
    await receiver.stop()
    await using collector = await startCollector({ receiverUrl: receiver.url, overlays: IMPATIENT })
    await using client = new HookClient({ endpoint: collector.url, ...PATIENT })
    for (const end of [collector.stop, collector.kill]) {
      client.emitMany(Array.from({ length: 500 }, (_, index) => event(index)))
      expect(await client.flush()).toMatchObject({ delivered: 500, pending: 0 })
      await end()
      await collector.start()
    }
    await using _back = await start()
    await vi.waitFor(
      async () => expect(await countStored(databaseUrl)).toEqual({ rows: 1000, events: 1000 }),
      SETTLE,
    )
  })

  it('takes a partial success for an end, and stores the rest of the batch once', async () => {
    const databaseUrl = await postgres.createDatabase()
    await using receiver = await startReceiver({ env: { DATABASE_URL: databaseUrl } })
    await using collector = await startCollector({ receiverUrl: receiver.url, overlays: IMPATIENT })
    const answer = await fetch(`${collector.url}/v1/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(otlpRequest(['good', 'x'.repeat(600), 'good too'])),
    })
    expect(answer.status).toBe(200)
    await vi.waitFor(
      async () => expect(await collector.log()).toMatch(/Partial success response.*"dropped_log_records": 1/),
      SETTLE,
    )
    await vi.waitFor(
      async () => expect(await countStored(databaseUrl)).toEqual({ rows: 2, events: 2 }),
      SETTLE,
    )
    const sent = await fetch(`${receiver.url}/metrics`).then((metrics) => metrics.text())
    expect(sent).toContain('hooks_events_received_total{protocol="otlp_protobuf"} 3')
    expect(await queueSize(collector)).toBe(0)
  })

  it('takes 503 with Retry-After for a reason to wait that long, and no longer than storage is down', async () => {
    const server = await startPostgres({ owned: true })
    try {
      const databaseUrl = await server.createDatabase()
      await using receiver = await startReceiver({
        env: { DATABASE_URL: databaseUrl, EXPORT_RETRY_MILLIS: '0' },
      })
      await using collector = await startCollector({ receiverUrl: receiver.url, overlays: IMPATIENT })
      await using client = new HookClient({ endpoint: collector.url })
      await server.kill()
      client.emit(event(1))
      expect(await client.flush()).toMatchObject({ delivered: 1 })
      await vi.waitFor(
        async () => expect(await collector.log()).toMatch(/Throttle \(\d+s\).*HTTP Status Code 503/),
        SETTLE,
      )
      await server.start()
      await vi.waitFor(
        async () => expect(await countStored(databaseUrl)).toEqual({ rows: 1, events: 1 }),
        SETTLE,
      )
    } finally {
      await server.stop()
    }
  })

  it('has the metrics that the alerts and the dashboard ask it for', async () => {
    const databaseUrl = await postgres.createDatabase()
    await using receiver = await startReceiver({ env: { DATABASE_URL: databaseUrl } })
    await using collector = await startCollector({ receiverUrl: receiver.url })
    await using client = new HookClient({ endpoint: collector.url })
    client.emit(event(1))
    await client.flush()
    await vi.waitFor(async () => {
      const metrics = await collector.metrics()
      expect(metrics).toMatch(/^otelcol_exporter_sent_log_records(_total)?\{.*\} 1$/m)
      expect(metrics).toMatch(/^otelcol_exporter_queue_size\{/m)
      expect(metrics).toMatch(/^otelcol_exporter_queue_capacity\{.*\} 1\.073741824e\+09$/m)
    }, SETTLE)
  })
})

const START = 1_795_361_760_000

const EVENTS: readonly HookEvent[] = [
  { eventType: 'custom', sessionId: 's1', data: {} },
  {
    eventType: 'tool_execution_completed',
    sessionId: 's1',
    workflowId: 'w1',
    phaseId: 'p1',
    milestoneId: 'm1',
    data: { tool_name: 'Bash', success: false, error: 'exit 1', duration_ms: 12.5 },
  },
  {
    eventType: 'a.custom.type',
    sessionId: 'snowman \u2603 \u{1F600}',
    data: {
      nul: 'a\u0000b',
      lone: '\uD800',
      large: 2 ** 60,
      negative: -1,
      zero: -0,
      tiny: 5e-324,
      nan: Number.NaN,
      infinite: Number.POSITIVE_INFINITY,
      bytes: new Uint8Array([0, 1, 255]),
      empty: [{}, [], '', null],
      '': 'empty key',
      deep: Array.from({ length: 60 }).reduce<object>((inner) => ({ inner }), {}),
      long: 'x'.repeat(300_000),
    },
  },
].map((fields, index) => ({
  ...fields,
  eventId: `01938f4e-7c00-7000-8000-00000000000${index}`,
  timestamp: START + index,
}))

function event(index: number): HookEvent {
  return {
    eventType: 'tool_execution_started',
    sessionId: `session-${index % 20}`,
    data: { tool_name: 'Bash', index },
  }
}

/** Emits 20 events every 5 ms until it is stopped; then tells how many these were. */
function startLoad(client: HookClient): { stop(): number } {
  let emitted = 0
  const timer = setInterval(() => {
    for (let index = 0; index < 20; index++) client.emit(event(emitted++))
  }, 5)
  return {
    stop() {
      clearInterval(timer)
      return emitted
    },
  }
}

async function deliveredMore(client: HookClient, events: number): Promise<void> {
  const goal = client.stats().delivered + events
  await vi.waitFor(() => expect(client.stats().delivered).toBeGreaterThan(goal), SETTLE)
}

async function storedMore(databaseUrl: string, events: number): Promise<void> {
  const goal = (await countStored(databaseUrl)).rows + events
  await vi.waitFor(async () => expect((await countStored(databaseUrl)).rows).toBeGreaterThan(goal), SETTLE)
}

async function expectAllStored(emitted: number, client: HookClient, databaseUrl: string): Promise<void> {
  await client.flush()
  expect(client.stats()).toMatchObject({ emitted, delivered: emitted, dropped: 0, pending: 0 })
  await vi.waitFor(async () => expect((await countStored(databaseUrl)).events).toBe(emitted), SETTLE)
  expect(await countStored(databaseUrl)).toEqual({ rows: emitted, events: emitted })
}

async function receiverOnOnePort(databaseUrl: string): Promise<() => Promise<RunningReceiver>> {
  const port = String(await freePort())
  return () => startReceiver({ env: { DATABASE_URL: databaseUrl, PORT: port } })
}

async function queueSize(collector: RunningCollector): Promise<number> {
  return Number(/^otelcol_exporter_queue_size\{.*\} (\S+)$/m.exec(await collector.metrics())?.[1])
}

function otlpRequest(sessionIds: readonly string[]): object {
  const logRecords = sessionIds.map((sessionId, index) => ({
    timeUnixNano: `${START + index}000000`,
    eventName: 'agentic_hooks.custom',
    attributes: [
      { key: 'session.id', value: { stringValue: sessionId } },
      { key: 'log.record.uid', value: { stringValue: `01938f4e-7c00-7000-8000-00000000001${index}` } },
      { key: 'agentic_hooks.data', value: { kvlistValue: { values: [] } } },
    ],
  }))
  return { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }
}
