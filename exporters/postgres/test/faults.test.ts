import { sampleRecords } from '@agentic-hooks/events/testing'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { storedEvents, valueIn } from '@agentic-hooks/testing/stored-events'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { UnavailableError } from '../src/index.ts'
import { emptyDatabase, RecordingLogger, SILENT, send, sendUntilStored, startExporter } from './exporters.ts'

let server: PostgresServer
let databaseUrl: string

beforeAll(async () => {
  server = await startPostgres({ owned: true })
  databaseUrl = await server.createDatabase()
})
beforeEach(async () => {
  await emptyDatabase(databaseUrl)
})
afterAll(() => server?.stop())

const writers = `SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`

describe.each([
  ['killed', () => server.kill().then(() => server.start())],
  ['restarted', () => server.restart()],
] as const)('a server that is %s under load', (what, disturb) => {
  it('keeps every acknowledged event and is used again by itself', async () => {
    const logger = new RecordingLogger()
    const exporter = await startExporter({ databaseUrl, logger })
    const acknowledged = new Set<string>()
    let disturbedAt = 0
    let backAt = 0
    const client = async () => {
      for (let batch = 0; batch < 40; batch++) {
        const events = sampleRecords(20)
        await sendUntilStored(exporter, events)
        for (const { eventId } of events) acknowledged.add(eventId)
        if (disturbedAt && !backAt) backAt = performance.now()
      }
    }
    const clients = Promise.all(Array.from({ length: 8 }, client))
    await vi.waitUntil(() => acknowledged.size > 500)
    await Promise.all([disturb(), vi.waitUntil(() => logger.warnings.length > 0)])
    disturbedAt = performance.now()
    await clients
    console.log(`${what}: stored again ${Math.round(backAt - disturbedAt)} ms after the server was up`)

    const stored = (await storedEvents(databaseUrl)).map(({ eventId }) => eventId)
    const distinct = new Set(stored)
    expect([...acknowledged].filter((eventId) => !distinct.has(eventId))).toEqual([])
    expect(stored).toHaveLength(distinct.size)
    await vi.waitFor(() => expect(logger.infos.at(-1)?.message).toBe('PostgreSQL is back'))
  })
})

describe('a server that hangs', () => {
  it('makes export fail after writeTimeoutMillis, and health too', async () => {
    const exporter = await startExporter({ databaseUrl, writeTimeoutMillis: 300, connectTimeoutMillis: 300 })
    await server.pause()
    onTestFinished(() => server.resume())
    await expect(send(exporter, sampleRecords(1))).rejects.toThrow(/no answer within 300 ms|connection/)
    await expect(exporter.health()).rejects.toThrow(UnavailableError)
  })

  it('is used again when it goes on', async () => {
    const exporter = await startExporter({ databaseUrl, writeTimeoutMillis: 200, connectTimeoutMillis: 200 })
    await server.pause()
    const events = sampleRecords(3)
    await expect(send(exporter, events)).rejects.toThrow(UnavailableError)
    await server.resume()
    await sendUntilStored(exporter, events)
    expect(await storedEvents(databaseUrl)).toHaveLength(3)
  })

  it('does not keep shutdown waiting for ever', async () => {
    const exporter = await startExporter({ databaseUrl, writeTimeoutMillis: 200 })
    await server.pause()
    onTestFinished(() => server.resume())
    const exported = send(exporter, sampleRecords(1))
    const failed = expect(exported).rejects.toThrow(UnavailableError)
    await exporter.shutdown()
    await failed
  })
})

describe('a connection that is lost', () => {
  it('is replaced while the others go on', async () => {
    const exporter = await startExporter({ databaseUrl, connections: 2 })
    await execute(databaseUrl, `SELECT pg_terminate_backend(pid) FROM (${writers}) AS writers LIMIT 1`)
    for (let batch = 0; batch < 20; batch++) await sendUntilStored(exporter, sampleRecords(1))
    await vi.waitFor(async () => expect(await execute(databaseUrl, writers)).toHaveLength(2))
    expect(await valueIn(databaseUrl, 'SELECT count(*) FROM hook_events')).toBe('20')
  })

  it('is given up when its server has become a standby', async () => {
    const exporter = await startExporter({ databaseUrl })
    const database = new URL(databaseUrl).pathname.slice(1)
    await execute(databaseUrl, `ALTER DATABASE ${database} SET default_transaction_read_only = on`)
    onTestFinished(async () => {
      await execute(server.url, `ALTER DATABASE ${database} RESET default_transaction_read_only`)
    })
    await execute(databaseUrl, `SELECT pg_terminate_backend(pid) FROM (${writers}) AS writers`)
    await vi.waitFor(() => expect(exporter.health()).rejects.toThrow('read-only'))
    await vi.waitFor(() => expect(send(exporter, sampleRecords(1))).rejects.toThrow('read-only'))
    await execute(server.url, `ALTER DATABASE ${database} RESET default_transaction_read_only`)
    await vi.waitFor(() => exporter.health(), { timeout: 10_000 })
    expect(await send(exporter, sampleRecords(1))).toMatchObject({ stored: 1 })
  })
})

describe('a table that is locked', () => {
  const locked = async (test: (release: () => Promise<unknown>) => Promise<void>) => {
    const holder = execute(
      databaseUrl,
      `BEGIN; LOCK TABLE hook_events IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60) /* holder */`,
    ).catch(() => {})
    const release = () =>
      execute(
        databaseUrl,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%/* holder */' AND pid <> pg_backend_pid()`,
      )
    const isLocked = () =>
      valueIn(
        databaseUrl,
        `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'hook_events'::regclass`,
      )
    await vi.waitFor(async () => expect(await isLocked()).toBe('1'))
    try {
      await test(release)
    } finally {
      await release()
      await holder
    }
  }

  it('makes export refuse more than maxQueuedBytes at once, and stores what it has accepted later', async () => {
    const exporter = await startExporter({ databaseUrl, maxQueuedBytes: 2_000, logger: SILENT })
    await locked(async (release) => {
      const accepted = send(exporter, sampleRecords(20))
      await expect(send(exporter, sampleRecords(1))).rejects.toThrow('maxQueuedBytes is 2000')
      await release()
      await expect(accepted).resolves.toMatchObject({ stored: 20 })
    })
    expect(await send(exporter, sampleRecords(1))).toMatchObject({ stored: 1 })
  })

  it('lets an aborted batch go that waits for a connection', async () => {
    const exporter = await startExporter({ databaseUrl, connections: 1 })
    await locked(async () => {
      const written = send(exporter, sampleRecords(1))
      const gone = new AbortController()
      const waiting = send(exporter, sampleRecords(1), gone.signal)
      gone.abort(new Error('the client went away'))
      await expect(waiting).rejects.toThrow('the client went away')
      written.catch(() => {})
    })
    await vi.waitFor(async () => {
      expect(await valueIn(databaseUrl, 'SELECT count(*) FROM hook_events')).toBe('1')
    })
  })

  it('and a server that dies during shutdown leave no batch unanswered', async () => {
    const exporter = await startExporter({ databaseUrl, connections: 1 })
    await locked(async () => {
      const batches = [send(exporter, sampleRecords(1)), send(exporter, sampleRecords(1))]
      const settled = Promise.allSettled(batches)
      const down = exporter.shutdown()
      await server.kill()
      expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      await down
      await server.start()
    })
  })

  it('makes export fail after writeTimeoutMillis', async () => {
    const exporter = await startExporter({ databaseUrl, writeTimeoutMillis: 200 })
    await locked(async () => {
      await expect(send(exporter, sampleRecords(1))).rejects.toThrow(
        /no answer within 200 ms|statement timeout/,
      )
    })
  })
})
