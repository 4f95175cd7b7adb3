import { HookClient } from '@agentic-hooks/instrumentation'
import { dockerAnswers } from '@agentic-hooks/testing/compose'
import { execute } from '@agentic-hooks/testing/postgres'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { execIn, pause, resume, type Stack, scrapedInstances, startStack, stateOf } from './stack.ts'

const SETTLE = { timeout: 60_000, interval: 250 }

describe.runIf(await dockerAnswers())('docker compose up', () => {
  let stack: Stack
  let databaseUrl: string
  let receiver: string
  beforeAll(async () => {
    stack = await startStack({
      files: ['docker-compose.yaml', 'system-tests/containers/development.ports.yaml'],
      services: ['receiver', 'postgres', 'prometheus', 'collector'],
    })
    databaseUrl = `postgres://hooks:hooks@${await stack.address('postgres', 5432)}/hooks`
    receiver = (await stack.containers('receiver'))[0]!
  })
  afterAll(() => stack?.[Symbol.asyncDispose]())

  const storedSessions = async () => {
    const rows = await execute(databaseUrl, 'SELECT session_id FROM hook_events ORDER BY session_id')
    return rows.map(({ session_id }) => session_id)
  }

  it('is healthy', async () => {
    expect((await stateOf(receiver)).Health?.Status).toBe('healthy')
  })

  it.each([4318, 8080])('stores an event that is posted to port %i', async (port) => {
    const answer = await fetch(`http://${await stack.address('receiver', port)}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ event_type: 'custom', session_id: `posted to ${port}` }),
    })
    expect(answer.status).toBe(202)
    expect(await storedSessions()).toContain(`posted to ${port}`)
  })

  it('stores what a HookClient sends to the Collector', async () => {
    await using client = new HookClient({ endpoint: `http://${await stack.address('collector', 4318)}` })
    client.emit({ eventType: 'custom', sessionId: 'by the Collector' })
    expect(await client.flush()).toMatchObject({ delivered: 1 })
    await vi.waitFor(async () => expect(await storedSessions()).toContain('by the Collector'), SETTLE)
  })

  it('is scraped by Prometheus, and so is the Collector', async () => {
    const prometheus = await stack.address('prometheus', 9090)
    for (const job of ['receiver', 'collector']) {
      await vi.waitFor(async () => expect(await scrapedInstances(prometheus, job)).toHaveLength(1), SETTLE)
    }
  })

  it('runs the receiver without root, without capabilities and with nothing to write to but /data and /tmp', async () => {
    expect(await execIn(receiver, 'id', '-u')).toBe('1000')
    expect(await execIn(receiver, 'sh', '-c', 'grep CapBnd /proc/self/status')).toMatch(/CapBnd:\s+0+$/)
    await expect(execIn(receiver, 'touch', '/app/x')).rejects.toThrow('Read-only file system')
    await execIn(receiver, 'touch', '/data/x', '/tmp/x')
  })

  it('migrates by the command of the Kubernetes Job', async () => {
    await execIn(receiver, 'node', 'receiver/dist/main.js', 'migrate')
  })

  it('turns unhealthy while PostgreSQL is away, and healthy again', async () => {
    const [postgres] = await stack.containers('postgres')
    await pause(postgres!)
    try {
      await vi.waitFor(async () => expect((await stateOf(receiver)).Health?.Status).toBe('unhealthy'), SETTLE)
    } finally {
      await resume(postgres!)
    }
    await vi.waitFor(async () => expect((await stateOf(receiver)).Health?.Status).toBe('healthy'), SETTLE)
  })
})
