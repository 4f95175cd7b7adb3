import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uuidv7 } from '@agentic-hooks/events'
import { HookClient } from '@agentic-hooks/instrumentation'
import { dockerAnswers } from '@agentic-hooks/testing/compose'
import { execute } from '@agentic-hooks/testing/postgres'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { countStored } from '../interop/database.ts'
import { type Stack, scrapedInstances, startStack, stateOf } from './stack.ts'

const SETTLE = { timeout: 60_000, interval: 250 }
const TOKEN = 'a-token-of-this-test'
const PASSWORD = 'p@ss/word: with "everything"'
const REST_CLIENTS = 4

describe.runIf(await dockerAnswers())('docker compose -f docker-compose.prod.yaml up', () => {
  let secrets: string
  let stack: Stack
  let url: string
  let databaseUrl: string
  beforeAll(async () => {
    secrets = await mkdtemp(join(tmpdir(), 'agentic-hooks-secrets-'))
    const values = {
      postgres_password: PASSWORD,
      hooks_owner_password: `${PASSWORD} of the owner`,
      hooks_reader_password: `${PASSWORD} of the reader`,
      grafana_password: 'unused',
      receiver_tokens: TOKEN,
    }
    for (const [name, value] of Object.entries(values)) await writeFile(join(secrets, name), `${value}\n`)
    stack = await startStack({
      files: ['docker-compose.prod.yaml', 'system-tests/containers/production.ports.yaml'],
      services: ['load-balancer', 'receiver', 'postgres', 'prometheus'],
      env: { SECRETS: secrets },
    })
    url = `http://${await stack.address('load-balancer', 4318)}`
    const database = new URL(`postgres://hooks@${await stack.address('postgres', 5432)}/hooks`)
    database.password = encodeURIComponent(PASSWORD)
    databaseUrl = database.href
    await vi.waitFor(async () => expect((await post(url, 'the first')).status).toBe(202), SETTLE)
  })
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]()
    await rm(secrets, { recursive: true })
  })

  it('has three healthy receivers, all of which Prometheus scrapes', async () => {
    const receivers = await stack.containers('receiver')
    expect(receivers).toHaveLength(3)
    for (const receiver of receivers) expect((await stateOf(receiver)).Health?.Status).toBe('healthy')
    const prometheus = await stack.address('prometheus', 9090)
    await vi.waitFor(
      async () => expect(await scrapedInstances(prometheus, 'receiver')).toHaveLength(3),
      SETTLE,
    )
  })

  it('has receivers that are no superusers of PostgreSQL, and a role for Grafana that only reads', async () => {
    const users = `SELECT DISTINCT usename, usesuper FROM pg_stat_activity JOIN pg_user USING (usename)
      WHERE application_name = 'agentic-hooks'`
    expect(await execute(databaseUrl, users)).toEqual([{ usename: 'hooks_owner', usesuper: false }])
    const reader = new URL(databaseUrl)
    reader.username = 'hooks_reader'
    reader.password = encodeURIComponent(`${PASSWORD} of the reader`)
    await execute(reader.href, 'SELECT FROM hook_events LIMIT 1')
    await expect(execute(reader.href, 'DELETE FROM hook_events')).rejects.toThrow('permission denied')
  })

  it('takes events with a token only, and publishes neither health nor metrics', async () => {
    expect((await post(url, 'a stranger', 'wrong')).status).toBe(401)
    expect((await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(
      404,
    )
    const rows = await execute(databaseUrl, `SELECT FROM hook_events WHERE session_id = 'a stranger'`)
    expect(rows).toEqual([])
  })

  it('fails no client when a receiver is killed under load, and starts that receiver again', async () => {
    const before = (await countStored(databaseUrl)).events
    await using client = new HookClient({
      endpoint: url,
      headers: { authorization: `Bearer ${TOKEN}` },
      maxQueueSize: 100_000, // one client stands for many
    })
    const load = startLoad(client, url)
    await vi.waitFor(() => expect(load.answers.length).toBeGreaterThan(200), SETTLE)

    const [victim] = await stack.containers('receiver')
    const { Pid, StartedAt } = await stateOf(victim!)
    process.kill(Pid, 'SIGKILL')
    await vi.waitFor(async () => expect((await stateOf(victim!)).StartedAt).not.toBe(StartedAt), SETTLE)
    await vi.waitFor(async () => expect((await stateOf(victim!)).Health?.Status).toBe('healthy'), SETTLE)

    const { emitted, answers } = await load.stop()
    expect(answers.filter((answer) => answer !== 202)).toEqual([])
    expect(await client.flush()).toMatchObject({ pending: 0 })
    expect(client.stats()).toMatchObject({ delivered: emitted, dropped: 0 })
    const stored = await countStored(databaseUrl)
    expect(stored).toEqual({ rows: stored.events, events: before + emitted + answers.length })
  })
})

/** One event by REST, with what makes sending it again harmless. */
function post(url: string, sessionId: string, token = TOKEN): Promise<Response> {
  return fetch(`${url}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ event_id: uuidv7(), event_type: 'custom', session_id: sessionId }),
  })
}

/**
 * A HookClient with 1,000 events a second, which tries again by itself, and clients of the REST routes, which
 * do not: each answer that these get is kept, or the error instead of it.
 */
function startLoad(client: HookClient, url: string) {
  const answers: (number | string)[] = []
  let emitted = 0
  let running = true
  const timer = setInterval(() => {
    for (let index = 0; index < 10; index++)
      client.emit({ eventType: 'custom', sessionId: `load-${emitted++ % 50}` })
  }, 10)
  const restClient = async () => {
    while (running) {
      const answer = await post(url, 'rest').then(({ status }) => status, String)
      answers.push(answer)
    }
  }
  const restClients = Array.from({ length: REST_CLIENTS }, restClient)
  return {
    answers,
    async stop() {
      running = false
      clearInterval(timer)
      await Promise.all(restClients)
      return { emitted, answers }
    },
  }
}
