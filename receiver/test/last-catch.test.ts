import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { type HttpRequest, json, send } from '@agentic-hooks/testing/http'
import { startTestReceiver, type TestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { freePort } from '@agentic-hooks/testing/postgres'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Authenticator } from '../src/http/auth.ts'
import { RateLimit } from '../src/http/rate-limit.ts'
import { Admission, Ticket } from '../src/ingest/admission.ts'
import { Intake, type Way } from '../src/ingest/intake.ts'
import { Turns } from '../src/ingest/large-bodies.ts'
import { Pipeline } from '../src/ingest/pipeline.ts'
import { Metrics, type ProtocolMetrics } from '../src/metrics.ts'
import { Health } from '../src/storage/health.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const LOGS: HttpRequest = {
  path: '/v1/logs',
  headers: JSON_TYPE,
  body: '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}',
}
const REST: HttpRequest = {
  path: '/events',
  headers: JSON_TYPE,
  body: '{"event_type":"custom","session_id":"s"}',
}
const HOOK: HttpRequest = {
  path: '/hooks/claude-code',
  headers: JSON_TYPE,
  body: '{"hook_event_name":"Stop","session_id":"s"}',
}
const LARGE: HttpRequest = { ...LOGS, body: `{"resourceLogs":[]}${' '.repeat(2 ** 20)}` }
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const exporter = (name: string) =>
  JSON.stringify([{ package: fileURLToPath(new URL(`support/${name}`, import.meta.url)) }])
const NULL_EXPORTER = exporter('../../../testing/src/null-exporter.js')

const get = (path: string): HttpRequest => ({ method: 'GET', path })

const thrown = () => {
  throw new TypeError('a defect \u001b[31m of ours')
}
const rejected = () => Promise.reject(new TypeError('a defect \u001b[31m of ours'))

/** A method that fails at its next call. */
function fail(target: object, method: string, how: () => unknown = thrown): void {
  vi.spyOn(target as Record<string, () => unknown>, method).mockImplementationOnce(how)
}

/** One part of a way in that fails at its next call. */
function failWay(part: keyof Way, how: () => unknown = thrown): void {
  const { serve } = Intake.prototype
  vi.spyOn(Intake.prototype, 'serve').mockImplementationOnce(function (this: Intake, request, response, way) {
    return serve.call(this, request, response, { ...way, [part]: how })
  })
}

function failCount(part: keyof ProtocolMetrics): void {
  const { protocol } = Metrics.prototype
  let counts = 0
  vi.spyOn(Metrics.prototype, 'protocol').mockImplementation(function (this: Metrics, name) {
    const counted = protocol.call(this, name)
    const failing = (...values: never[]) => {
      if (counts++ === 0) thrown()
      Reflect.apply(counted[part], counted, values)
    }
    return { ...counted, [part]: failing }
  })
}

let receiver: TestReceiver
let lines: string[]
let isLogBroken: boolean

beforeEach(async () => {
  lines = []
  isLogBroken = false
  const write = (line: string) => {
    if (isLogBroken) throw new Error('the log cannot be written')
    lines.push(line)
  }
  const env = {
    MAX_CLIENT_EVENTS_PER_SECOND: '100000',
    CORS_ORIGINS: 'https://app.example.com',
    ADMIN_PORT: '0',
  }
  receiver = await startTestReceiver([new SinkExporter()], env, pino({ level: 'debug' }, { write }))
})

afterEach(async () => {
  vi.restoreAllMocks()
  isLogBroken = false
  await receiver.close()
})

async function expectUnharmed(): Promise<void> {
  vi.restoreAllMocks()
  expect((await send(receiver.url, LOGS)).status).toBe(200)
  expect((await send(receiver.url, REST)).status).toBe(202)
  expect((await send(receiver.url, HOOK)).status).toBe(200)
  const samples = (await send(receiver.adminUrl!, get('/metrics'))).body.toString()
  expect(samples).toMatch(/^hooks_in_flight_bytes 0$/m)
  expect(samples).toMatch(/^hooks_in_flight_requests 0$/m)
}

describe('a defect in one stage of a request', () => {
  it.each<[stage: string, arm: () => void, request?: HttpRequest]>([
    ['a header of CORS', () => fail(ServerResponse.prototype, 'setHeader')],
    ['the token', () => fail(Authenticator.prototype, 'check')],
    ['the media type', () => failWay('accept')],
    ['the rate limit before', () => fail(RateLimit.prototype, 'check')],
    ['the rate limit after', () => fail(RateLimit.prototype, 'take')],
    ['admission', () => fail(Admission.prototype, 'enter')],
    ['admission of bytes', () => fail(Admission.prototype, 'reserve')],
    ['admission of a decompressed body', () => fail(Ticket.prototype, 'arrived')],
    ['turns', () => fail(Turns.prototype, 'take'), LARGE],
    ['turns, later', () => fail(Turns.prototype, 'take', rejected), LARGE],
    ['decoding a large body', () => failWay('decode'), LARGE],
    ['decoding', () => failWay('decode')],
    ['decoding REST', () => failWay('decode'), REST],
    ['decoding a hook', () => failWay('decode'), HOOK],
    ['storing', () => fail(Pipeline.prototype, 'store')],
    ['storing a hook', () => fail(Pipeline.prototype, 'store'), HOOK],
    ['the result', () => failWay('encodeResult')],
    ['the result of a hook', () => failWay('encodeResult'), HOOK],
    ['the failure', () => failWay('encodeFailure'), { ...LOGS, body: '[' }],
    ['what is counted as received', () => failCount('received')],
    ['what is counted as stored', () => failCount('stored')],
    ['what is counted as answered', () => failCount('answered')],
    ['the intake, at once', () => fail(Intake.prototype, 'serve')],
    ['the intake, later', () => fail(Intake.prototype, 'serve', rejected)],
    ['the intake of REST, at once', () => fail(Intake.prototype, 'serve'), REST],
    ['the intake of REST, later', () => fail(Intake.prototype, 'serve', rejected), REST],
    ['the head of an answer', () => fail(ServerResponse.prototype, 'writeHead')],
    ['the head of an answer to REST', () => fail(ServerResponse.prototype, 'writeHead'), REST],
    ['a path that is not there', () => fail(ServerResponse.prototype, 'writeHead'), get('/nowhere')],
  ])('gets 500 and harms no other request: %s', async (_stage, arm, request = LOGS) => {
    const sent = { ...request, headers: { origin: 'https://app.example.com', ...request.headers } }
    arm()
    const answer = await send(receiver.url, sent)
    expect(answer.status).toBe(500)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(JSON.stringify(json(answer))).toContain('internal error')
    expect(lines.join('')).toContain(String.raw`a defect \u001b[31m of ours`)
    await expectUnharmed()
  })

  it.each<[stage: string, path: string, arm: () => void]>([
    ['metrics, at once', '/metrics', () => fail(Metrics.prototype, 'render')],
    ['metrics, later', '/metrics', () => fail(Metrics.prototype, 'render', rejected)],
    ['health, at once', '/health', () => fail(Health.prototype, 'reasonUnhealthy')],
    ['health, later', '/health', () => fail(Health.prototype, 'reasonUnhealthy', rejected)],
    ['readiness, later', '/health/ready', () => fail(Health.prototype, 'reasonNotReady', rejected)],
    ['headers of a page', '/health/live', () => fail(ServerResponse.prototype, 'setHeader')],
  ])('gets 500 on the admin port as well: %s', async (_stage, path, arm) => {
    arm()
    expect((await send(receiver.adminUrl!, get(path))).status).toBe(500)
    await expectUnharmed()
  })

  it('ends the connection when half an answer is out, and nothing else', async () => {
    fail(ServerResponse.prototype, 'end')
    await expect(send(receiver.url, LOGS)).rejects.toThrow('socket hang up')
    await expectUnharmed()
  })

  it('gets 500 although the log cannot be written either', async () => {
    failWay('decode')
    isLogBroken = true
    expect((await send(receiver.url, LOGS)).status).toBe(500)
    isLogBroken = false
    await expectUnharmed()
  })
})

describe.runIf(process.platform === 'linux')('a full disk behind standard output', () => {
  it('costs no request its answer', async () => {
    const port = await freePort()
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, ['-C', '@agentic-hooks/source', MAIN], {
      env: { PATH: process.env.PATH, PORT: String(port), EXPORTERS: NULL_EXPORTER, LOG_LEVEL: 'trace' },
      stdio: ['ignore', full, 'pipe'],
    })
    closeSync(full)
    try {
      const url = `http://127.0.0.1:${port}`
      await vi.waitFor(() => send(url, get('/health/live')), 20_000)
      expect((await send(url, { ...REST, body: '[' })).status).toBe(400)
      expect((await send(url, REST)).status).toBe(202)
    } finally {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      expect(await exited).toEqual([0, null])
    }
  })
})

describe('a defect that nobody can catch', () => {
  it.each(['uncaught', 'unhandled'])('ends the receiver in order, with code 1: %s', async (event_type) => {
    await using receiver = await startReceiver({
      env: { EXPORTERS: exporter('defective-exporter.js') },
    })
    const body = JSON.stringify({ event_type, session_id: 's' })
    expect((await send(receiver.url, { ...REST, body })).status).toBe(202)
    expect(await receiver.exited).toEqual({ code: 1, signal: null })
    const messages = receiver.log.map(({ level, msg }) => `${level}: ${msg}`)
    expect(messages.join('\n')).toMatch(/fatal: a defect: .*\ninfo: shutting down\ninfo: stopped/)
    expect(receiver.stderr()).toBe('the exporter has shut down\n')
  })
})
