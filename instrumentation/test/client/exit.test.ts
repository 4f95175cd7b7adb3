import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeLine } from '@agentic-hooks/events'
import type { AgentPlan } from '@agentic-hooks/testing/agent'
import { runAgent } from '@agentic-hooks/testing/run-agent'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { answer, hang, OtlpServer } from '../support/otlp-server.ts'
import { startUnconnectable } from '../support/unconnectable.ts'

/** So long that only a broken bound would reach it. */
const FOREVER_MILLIS = 600_000
/** For the end of a process on a busy machine, beyond what it may wait. */
const SLACK_MILLIS = 4000

let server: OtlpServer
let spool: string

beforeEach(async () => {
  server = await OtlpServer.start()
  spool = mkdtempSync(join(tmpdir(), 'client-exit-'))
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(spool, { recursive: true })
})

function run(plan: Partial<AgentPlan>) {
  return runAgent({
    events: 120,
    printIds: true,
    ...plan,
    options: { endpoint: server.url, flushIntervalMillis: FOREVER_MILLIS, ...plan.options },
  })
}

/** In the order of their emission, which ids have. */
function spooledIds(): string[] {
  const files = readdirSync(spool).map((name) => readFileSync(join(spool, name), 'utf8'))
  const lines = files.flatMap((text) => text.split('\n').filter(Boolean))
  return lines.map((line) => decodeLine(line).eventId).sort()
}

describe('the end of the program', () => {
  it('delivers what is pending, and keeps the exit code', async () => {
    const { code, ids, stderr } = await run({ exitCode: 7 }).ended
    expect({ code, stderr }).toEqual({ code: 7, stderr: '' })
    expect(new Set(server.storedIds)).toEqual(new Set(ids))
    expect(ids).toHaveLength(120)
  })

  it('is not put off by an idle client', async () => {
    const { code } = await run({ events: 0 }).ended
    expect(code).toBe(0)
  })

  const expectBoundedDelay = async (endpoint: string) => {
    const options = {
      endpoint,
      shutdownTimeoutMillis: 500,
      exportTimeoutMillis: FOREVER_MILLIS,
      flushIntervalMillis: 1,
    }
    const { code, delayMillis, stderr } = await run({ options }).ended
    expect(code).toBe(0)
    expect(delayMillis).toBeLessThan(500 + SLACK_MILLIS)
    expect(stderr).toContain('120 events dropped (undeliverable)')
  }

  it('is delayed by at most shutdownTimeoutMillis when the server refuses connections', async () => {
    await expectBoundedDelay('http://127.0.0.1:1')
  })

  it('is delayed by at most shutdownTimeoutMillis when the server answers no connection attempt', async () => {
    await using listener = await startUnconnectable()
    await expectBoundedDelay(listener.url)
  })

  it('is delayed by at most shutdownTimeoutMillis when the server answers no request', async () => {
    server.behaviour = hang
    await expectBoundedDelay(server.url)
  })

  it('while a flush is awaited waits for it', async () => {
    const { lines, ended } = run({ end: 'flush' })
    expect((await ended).code).toBe(0)
    expect(lines.at(-1)).toBe('{"delivered":120,"dropped":0,"spooled":0,"pending":0}')
  })
})

describe('process.exit()', () => {
  it('writes what is pending to the spool, and the next process delivers it', async () => {
    server.behaviour = hang
    const first = await run({ end: 'exit', exitCode: 3, options: { spool } }).ended
    expect(first).toMatchObject({ code: 3, stderr: '' })
    expect(spooledIds()).toEqual(first.ids)
    server.behaviour = (response) => {
      response.writeHead(200).end()
      return undefined
    }
    const second = await run({ events: 1, options: { spool } }).ended
    expect(new Set(server.storedIds)).toEqual(new Set([...first.ids, ...second.ids]))
    expect(server.stored).toHaveLength(121)
    expect(readdirSync(spool)).toEqual([])
  })

  it('without a spool counts the loss on standard error', async () => {
    const { code, stderr } = await run({ end: 'exit', exitCode: 3 }).ended
    expect(code).toBe(3)
    expect(stderr).toBe(
      'agentic-hooks: 120 events dropped (undeliverable): the process ended before they were delivered\n',
    )
  })
})

describe('an uncaught exception', () => {
  it('writes what is pending to the spool', async () => {
    const { code, ids, stderr } = await run({ end: 'throw', options: { spool } }).ended
    expect(code).toBe(1)
    expect(stderr).toContain('Error: thrown by the agent')
    expect(spooledIds()).toEqual(ids)
  })

  it('without a spool counts the loss on standard error', async () => {
    const { code, stderr } = await run({ end: 'throw' }).ended
    expect(code).toBe(1)
    expect(stderr).toContain('agentic-hooks: 120 events dropped (undeliverable)')
  })
})

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('delivers what is pending and then ends the process as it would have', async () => {
    const { child, emitted, ended } = run({ end: 'wait' })
    await emitted
    child.kill(signal)
    const end = await ended
    expect(end).toMatchObject({ code: null, signal, stderr: '' })
    expect(new Set(server.storedIds)).toEqual(new Set(end.ids))
  })

  it('ends the process within shutdownTimeoutMillis when nothing can be delivered', async () => {
    server.behaviour = answer(503)
    const { child, emitted, ended } = run({ end: 'wait', options: { shutdownTimeoutMillis: 300, spool } })
    await emitted
    child.kill(signal)
    const end = await ended
    expect(end.signal).toBe(signal)
    expect(spooledIds()).toEqual(end.ids)
  })

  it('a second time ends it at once', async () => {
    server.behaviour = hang
    const { child, emitted, ended } = run({
      end: 'wait',
      options: { shutdownTimeoutMillis: FOREVER_MILLIS / 10 },
    })
    await emitted
    child.kill(signal)
    // The third, half-full batch is sent because of the signal.
    await vi.waitFor(() => expect(server.requests).toHaveLength(3))
    child.kill(signal)
    expect((await ended).signal).toBe(signal)
  })
})

describe('SIGTERM to an application that handles it', () => {
  it('leaves the end, and its code, to the application', async () => {
    const { child, lines, emitted, ended } = run({
      end: 'wait',
      onSigterm: 'exit',
      exitCode: 5,
      options: { spool },
    })
    await emitted
    child.kill('SIGTERM')
    const end = await ended
    expect(end).toMatchObject({ code: 5, stderr: '' })
    expect(lines.at(-1)).toBe('its handler ran')
    expect(new Set([...server.storedIds, ...spooledIds()])).toEqual(new Set(end.ids))
  })

  it('does not end one that goes on, however often', async () => {
    const { child, lines, emitted, ended } = run({ end: 'wait', onSigterm: 'ignore' })
    await emitted
    for (let times = 1; times <= 3; times++) {
      child.kill('SIGTERM')
      await vi.waitFor(() => expect(lines.filter((line) => line === 'its handler ran')).toHaveLength(times))
    }
    expect(child.exitCode).toBeNull()
    child.kill('SIGKILL')
    await ended
  })

  it('lets a library that ends the process when nobody else listens do so', async () => {
    const { child, lines, emitted, ended } = run({ end: 'wait', load: 'signal-exit', options: { spool } })
    await emitted
    child.kill('SIGTERM')
    const end = await ended
    expect(end).toMatchObject({ code: null, signal: 'SIGTERM' })
    expect(lines.at(-1)).toBe('its exit hook ran')
    expect(spooledIds()).toEqual(end.ids)
  })
})
