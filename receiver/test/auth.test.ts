import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'receiver-auth-'))
})

afterEach(() => rm(directory, { recursive: true }))

function post(url: string, authorization?: string, path = '/v1/logs') {
  const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) }
  return send(url, { path, headers, body: path === '/events/batch' ? '[]' : '{}' })
}

async function statusOf(...parameters: Parameters<typeof post>): Promise<number> {
  return (await post(...parameters)).status
}

describe('bearer tokens', () => {
  it('lets everybody in when there are none', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    expect(await statusOf(receiver.url)).toBe(200)
  })

  it('lets in who has any of the tokens', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS: 'one,two' })
    expect(await statusOf(receiver.url, 'Bearer one')).toBe(200)
    expect(await statusOf(receiver.url, 'bearer two')).toBe(200)
  })

  it.each([undefined, 'Bearer', 'Bearer three', 'Bearer on', 'Bearer onetwo', 'Basic one', 'one'])(
    'answers 401 with WWW-Authenticate to %s',
    async (authorization) => {
      await using receiver = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS: 'one,two' })
      const answer = await post(receiver.url, authorization)
      expect(answer.status).toBe(401)
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
    },
  )

  it('guards every route but /health', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS: 'one' })
    for (const path of ['/v1/logs', '/events', '/events/batch']) {
      expect(await statusOf(receiver.url, undefined, path), path).toBe(401)
    }
    for (const [path, status] of [
      ['/metrics', 401],
      ['/anything', 401],
      ['/health', 200],
      ['/health/live', 200],
      ['/health/ready', 200],
    ] as const) {
      expect((await send(receiver.url, { method: 'GET', path })).status, path).toBe(status)
    }
  })

  it('reads a changed file again, also one that was put in its place', async () => {
    const file = join(directory, 'tokens')
    await writeFile(file, '# for the swarm\nfirst\n\n')
    await using receiver = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS_FILE: file })
    expect(await statusOf(receiver.url, 'Bearer first')).toBe(200)
    expect(await statusOf(receiver.url, 'Bearer #')).toBe(401)
    await writeFile(`${file}.new`, 'second\n')
    await rename(`${file}.new`, file)
    await vi.waitFor(async () => expect(await statusOf(receiver.url, 'Bearer second')).toBe(200), 10_000)
    expect(await statusOf(receiver.url, 'Bearer first')).toBe(401)
  })

  it('keeps the tokens while the file is missing', async () => {
    const file = join(directory, 'tokens')
    await writeFile(file, 'first\n')
    const lines: string[] = []
    const log = pino({}, { write: (line) => void lines.push(line) })
    await using receiver = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS_FILE: file }, log)
    await rm(file)
    await vi.waitFor(() => expect(lines.join('')).toContain('the old ones stay valid'), 10_000)
    expect(await statusOf(receiver.url, 'Bearer first')).toBe(200)
    expect(await statusOf(receiver.url)).toBe(401)
  })

  it('lets nobody in once its file was emptied', async () => {
    const file = join(directory, 'tokens')
    await writeFile(file, 'first\n')
    await using receiver = await startTestReceiver([new SinkExporter()], { AUTH_TOKENS_FILE: file })
    await writeFile(file, '# none any more\n')
    await vi.waitFor(async () => expect(await statusOf(receiver.url, 'Bearer first')).toBe(401), 10_000)
    expect(await statusOf(receiver.url)).toBe(401)
  })

  it.each([
    ['is empty', '', 'holds no token'],
    ['holds comments only', '\uFEFF# none yet\r\n \n', 'holds no token'],
    [
      'holds a token with a blank, which no client can send',
      'first\nse cret\n',
      'line 2 of AUTH_TOKENS_FILE',
    ],
    ['holds a token in quotes', '"first"\n', 'line 1 of AUTH_TOKENS_FILE'],
  ])('does not start where the file %s, with other tokens or without', async (_, content, message) => {
    const file = join(directory, 'tokens')
    await writeFile(file, content)
    const environments: Record<string, string>[] = [{}, { AUTH_TOKENS: 'one' }]
    for (const env of environments) {
      const started = startTestReceiver([new SinkExporter()], { AUTH_TOKENS_FILE: file, ...env })
      await expect(started).rejects.toThrow(message)
      await expect(started).rejects.not.toThrow('cret')
    }
  })

  it('does not start without the file', async () => {
    const file = join(directory, 'nothing')
    await expect(startTestReceiver([new SinkExporter()], { AUTH_TOKENS_FILE: file })).rejects.toThrow(
      'AUTH_TOKENS_FILE cannot be read',
    )
  })
})
