import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { json, send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readConfig } from '../src/config/options.ts'
import { withSpools } from '../src/storage/load.ts'

const headers = { 'content-type': 'application/json' }
const EVENT = { path: '/events', headers, body: '{"event_type":"custom","session_id":"s1"}' }
const HOOK = { path: '/hooks/claude-code', headers, body: '{"session_id":"s1","hook_event_name":"Stop"}' }

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'receiver-spool-'))
})

afterEach(() => rm(directory, { recursive: true }))

function start(sink: SinkExporter, env: Readonly<Record<string, string>> = {}) {
  const log = pino({ level: 'silent' })
  const exporters = withSpools([sink], readConfig({ SPOOL_DIR: directory }), log)
  return startTestReceiver(exporters, env, log)
}

const metrics = async (url: string) => (await send(url, { method: 'GET', path: '/metrics' })).body.toString()

describe('a receiver with SPOOL_DIR', () => {
  it('acknowledges events while storage fails, and brings them there when it works again', async () => {
    const sink = new SinkExporter()
    sink.fail()
    await using receiver = await start(sink)
    expect(json(await send(receiver.url, EVENT))).toEqual({ accepted: 1, message: 'Events accepted' })
    expect(sink.records).toEqual([])
    expect(await metrics(receiver.url)).toContain('hooks_spool_events{exporter="sink"} 1')
    sink.recover()
    await vi.waitFor(() => expect(sink.records).toHaveLength(1), 10_000)
    await vi.waitFor(async () => {
      expect(await metrics(receiver.url)).toContain('hooks_spool_events{exporter="sink"} 0')
    })
  })

  it('is ready while storage fails', async () => {
    const sink = new SinkExporter()
    sink.fail()
    await using receiver = await start(sink)
    expect((await send(receiver.url, { method: 'GET', path: '/health/ready' })).status).toBe(200)
  })

  it('answers 200 to a hook that storage keeps waiting, once it is on disk', async () => {
    const sink = new SinkExporter()
    sink.hang()
    await using receiver = await start(sink, { HOOK_TIMEOUT_MILLIS: '2000' })
    const answer = await send(receiver.url, HOOK)
    expect([answer.status, answer.body.toString()]).toEqual([200, ''])
    expect(sink.records).toEqual([])
    expect(await metrics(receiver.url)).toContain('hooks_spool_events{exporter="sink"} 1')
    sink.recover()
    await vi.waitFor(() => expect(sink.records).toHaveLength(1), 10_000)
  })
})
