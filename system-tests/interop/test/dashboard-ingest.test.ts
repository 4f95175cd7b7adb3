import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventType } from '@agentic-hooks/events'
import { HookClient } from '@agentic-hooks/instrumentation'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { expandPromql, queriesOf } from '../grafana.ts'
import { MISSING } from '../peers.ts'
import { type RunningPrometheus, startPrometheus } from '../prometheus.ts'

const ALERTS = join(import.meta.dirname, '../../../deploy/prometheus/alerts.yaml')

describe.skipIf(MISSING.prometheus)('the dashboard of the receivers, against Prometheus', async () => {
  const queries = await queriesOf('ingest')
  const ofReceivers = queries.filter(({ query }) => !query.includes('otelcol_'))
  let directory: string
  let receiver: RunningReceiver
  let prometheus: RunningPrometheus

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'agentic-hooks-dashboard-'))
    receiver = await startReceiver({ cwd: directory, env: { SPOOL_DIR: join(directory, 'spool') } })
    prometheus = await startPrometheus({ receiver: receiver.url })
    const client = new HookClient({ endpoint: receiver.url })
    await vi.waitFor(
      async () => {
        client.emit({ eventType: EventType.Custom, sessionId: 's1' })
        await client.flush()
        const stored = await prometheus.query('sum(rate(hooks_events_stored_total[5s]))')
        expect(stored[0]?.value).toBeGreaterThan(0)
      },
      { timeout: 30_000, interval: 500 },
    )
    await client.close()
  })
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]()
    await receiver?.stop()
    await rm(directory, { recursive: true })
  })

  it.each(ofReceivers)('has an answer to the query of "$panel": $query', async ({ query }) => {
    expect(await prometheus.query(expandPromql(query))).not.toEqual([])
  })

  it('evaluates every alert without an error', async () => {
    await vi.waitFor(async () => {
      const rules = await prometheus.alertRules()
      expect(rules.size).toBeGreaterThan(0)
      for (const [name, health] of rules) expect(`${name} ${health}`).toBe(`${name} ok`)
    })
  })

  it('asks only for metrics that the receiver has, in dashboards and in alerts', async () => {
    const alerts = await readFile(ALERTS, 'utf8')
    const asked = [alerts, ...ofReceivers.map(({ query }) => query)]
      .join('\n')
      .match(/\b(?:hooks|nodejs|process)_[a-z0-9_]+/g)!
      .map((name) => name.replace(/_(?:bucket|count)$/, ''))
    const served = await (await fetch(`${receiver.url}/metrics`)).text()
    const names = new Set(served.match(/^# TYPE \S+/gm)!.map((line) => line.slice('# TYPE '.length)))
    expect([...new Set(asked)].filter((name) => !names.has(name))).toEqual([])
  })
})
