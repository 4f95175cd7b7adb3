import { fileURLToPath } from 'node:url'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Balancer, SERVER_HEADER } from '../../chaos/balancer.ts'
import { runChaos } from '../../chaos/run.ts'
import { MISSING } from '../peers.ts'

const support = (name: string) =>
  fileURLToPath(new URL(`../../../receiver/test/support/${name}`, import.meta.url))

async function startReplicas(count: number, exporter: object) {
  const env = { EXPORTERS: JSON.stringify([exporter]) }
  const replicas = await Promise.all(Array.from({ length: count }, () => startReceiver({ env })))
  const servers = replicas.map(({ url }, index) => ({ name: String(index), port: Number(new URL(url).port) }))
  const balancer = await Balancer.start(servers)
  onTestFinished(async () => {
    await balancer.stop()
    for (const replica of replicas) replica.kill('SIGKILL')
    await Promise.all(replicas.map(({ exited }) => exited))
  })
  let killed = 0
  for (const { exited } of replicas) void exited.then(() => killed++)
  return { replicas, url: balancer.url, killed: () => killed }
}

async function post(url: string, event_type: string) {
  const answer = await fetch(`${url}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ event_type, session_id: 's' }),
  })
  return { status: answer.status, server: answer.headers.get(SERVER_HEADER) }
}

describe.skipIf(MISSING.haproxy)('HAProxy, of a request that ends the receiver that it reaches', () => {
  it('sends it again once while a third receiver is left, and serves others from that', async () => {
    const { url, killed } = await startReplicas(3, { package: support('defective-exporter.js') })
    expect((await post(url, 'killing')).status).toBe(502)
    expect((await post(url, 'harmless')).status).toBe(202)
    await expect.poll(killed).toBe(2)
  })

  it('does not send it again to the last receiver', async () => {
    const { url, killed } = await startReplicas(2, { package: support('defective-exporter.js') })
    expect((await post(url, 'killing')).status).toBe(502)
    expect((await post(url, 'harmless')).status).toBe(202)
    await expect.poll(killed).toBe(1)
  })
})

describe.skipIf(MISSING.haproxy)('HAProxy, of a receiver that is killed', () => {
  it('sends to another one what the receiver did not answer, and what it no longer takes', async () => {
    const exporter = {
      package: support('../../../testing/src/null-exporter.js'),
      options: { delayMillis: 1_000 },
    }
    const { replicas, url } = await startReplicas(3, exporter)
    const pending = Array.from({ length: 30 }, () => post(url, 'custom'))
    await expect.poll(() => inFlight(replicas[0]!.url)).toBeGreaterThan(0)
    replicas[0]!.kill('SIGKILL')
    await replicas[0]!.exited
    const after = Array.from({ length: 30 }, () => post(url, 'custom'))
    const answers = await Promise.all([...pending, ...after])
    expect(answers.filter(({ status }) => status !== 202)).toEqual([])
    expect(new Set(answers.map(({ server }) => server))).toEqual(new Set(['1', '2']))
  })
})

async function inFlight(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(/^hooks_in_flight_requests (\d+)$/m.exec(metrics)?.[1])
}

describe.skipIf(MISSING.haproxy)('agents -> HAProxy -> three receivers -> PostgreSQL', () => {
  it('loses nothing and stores nothing twice while processes are killed, and sends nothing to the dead', async () => {
    const result = await runChaos({
      seed: 7,
      durationMillis: 30_000,
      faults: 15,
      agents: 10,
      balanced: true,
      report: () => {},
    })
    expect(result).toMatchObject({ lost: [], duplicated: [], unknown: [] })
    expect(result.stored).toBe(result.acknowledged)
    expect(result.stored).toBeGreaterThan(1_000)
    expect(result.kills).toBeGreaterThan(0)
    expect(Object.keys(result.takenOut)).not.toEqual([])
  })
})
