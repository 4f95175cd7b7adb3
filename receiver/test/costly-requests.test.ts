import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { decodeLogsResponse, decodeStatus } from '@agentic-hooks/testing/otlp'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/** The default MAX_BYTES_IN_FLIGHT, and what a receiver may take beside it. */
const MAX_RESIDENT_BYTES = 256 * 2 ** 20 + 200e6

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

function field(number: number, ...content: Buffer[]): Buffer {
  const bytes = Buffer.concat(content)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

const many = (count: number, one: Buffer) => Buffer.alloc(count * one.length, one)
const text = (length: number, byte = 0x68) => Buffer.alloc(length, byte)
const scopeLogs = (...fields: Buffer[]) => field(1, field(2, ...fields))
const emptyRecords = (count: number) => many(count, field(2))
const withBody = (body: Buffer) => field(2, field(5, field(1, body)))
const attribute = (value: Buffer) => field(1, field(1, text(1)), field(2, field(1, value)))

let folder: string
let receiver: RunningReceiver

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-costly-'))
})

afterEach(async () => {
  await receiver.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function start(env: Record<string, string> = {}): Promise<void> {
  receiver = await startReceiver({ cwd: folder, env, nodeArgs: ['--max-semi-space-size=16'] })
}

async function post(body: Buffer): Promise<{ status: number; body: Buffer }> {
  const response = await fetch(`${receiver.url}/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' },
    body: new Uint8Array(gzipSync(body, { level: 1 })),
  })
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
}

/** The most memory that the receiver has taken; 0 where the system does not tell. */
function peakBytes(): number {
  const path = `/proc/${receiver.pid}/status`
  return existsSync(path) ? 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1]) : 0
}

function storedBytes(): number {
  const path = join(folder, '.agentic/analytics/events.jsonl')
  return existsSync(path) ? statSync(path).size : 0
}

describe('a request of a few hundred bytes that would become gigabytes', () => {
  it.each([
    [
      'a schema URL of 10 kB for 200,000 empty records',
      scopeLogs(field(3, text(10_000)), emptyRecords(200_000)),
    ],
    [
      'a resource of 10 kB for 200,000 empty records',
      field(1, field(1, attribute(text(10_000))), field(2, emptyRecords(200_000))),
    ],
    ['200,000 empty records', scopeLogs(emptyRecords(200_000))],
    ['16 million empty scopes', field(1, many(16_000_000, field(2)))],
    ['16 million empty resources', many(16_000_000, field(1))],
    ['16 million empty attributes of a resource', field(1, field(1, many(16_000_000, field(1))))],
    ['16 million unknown fields', many(16_000_000, field(15))],
  ])('is refused as too large, with nothing stored: %s', async (_name, body) => {
    await start()
    const { status, body: answer } = await post(body)
    expect(status).toBe(413)
    expect(decodeStatus(answer).message).toMatch(/MIN_EVENT_BYTES|MAX_EVENT_BYTES|MAX_REQUEST_EVENTS/)
    expect(storedBytes()).toBe(0)
    expect(peakBytes()).toBeLessThan(MAX_RESIDENT_BYTES)
  })

  it('is refused once its records, each with what they share, are larger than allowed', async () => {
    await start({ MAX_DECODED_BYTES: '16MiB' })
    const shared = [
      scopeLogs(field(3, text(10_000)), emptyRecords(10_000)),
      field(1, field(1, attribute(text(10_000))), field(2, emptyRecords(10_000))),
    ]
    for (const body of shared) {
      const answer = await post(body)
      expect(answer.status).toBe(413)
      expect(decodeStatus(answer.body).message).toContain('MAX_DECODED_BYTES')
    }
    expect(storedBytes()).toBe(0)
  })

  it('is refused when it takes more memory than there is at all', async () => {
    await start({ MAX_BYTES_IN_FLIGHT: '8MiB', MAX_BODY_BYTES: '8MiB' })
    const { status, body } = await post(scopeLogs(many(1_000, withBody(text(4_000)))))
    expect(status).toBe(413)
    expect(decodeStatus(body).message).toContain('MAX_BYTES_IN_FLIGHT')
  })
})

describe('control characters, which JSON writes six times as long', () => {
  it('have their event rejected alone where it becomes too large', async () => {
    await start()
    const body = scopeLogs(withBody(text(40_000_000, 1)), withBody(text(10)), withBody(text(4_000_000, 1)))
    const { status, body: answer } = await post(body)
    expect(status).toBe(200)
    expect(decodeLogsResponse(answer)).toMatchObject({ partialSuccess: { rejectedLogRecords: '2' } })
    expect(answer.toString()).toContain('MAX_EVENT_BYTES')
    expect(storedBytes()).toBeLessThan(1_000)
    expect(peakBytes()).toBeLessThan(MAX_RESIDENT_BYTES)
  })

  it('have their request refused where all of them are too large', async () => {
    await start()
    const { status } = await post(scopeLogs(many(20, withBody(text(2_000_000, 1)))))
    expect(status).toBe(413)
    expect(storedBytes()).toBe(0)
    expect(peakBytes()).toBeLessThan(MAX_RESIDENT_BYTES)
  })
})

it('stores what others send while ten clients send as much as they may', async () => {
  await start()
  const heavy = scopeLogs(field(3, text(3_000)), emptyRecords(9_000))
  const attackers = Array.from({ length: 10 }, () => post(heavy))
  let areDone = false
  const statuses = Promise.all(attackers).finally(() => {
    areDone = true
  })
  const event = JSON.stringify({ event_type: 'custom', session_id: 's' })
  do {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${receiver.url}/events`, { method: 'POST', headers, body: event })
    expect(response.status).toBe(202)
  } while (!areDone)
  for (const { status } of await statuses) expect([200, 503]).toContain(status)
  expect(peakBytes()).toBeLessThan(MAX_RESIDENT_BYTES)
})
