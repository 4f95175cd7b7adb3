import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '@agentic-hooks/testing/postgres'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'receiver-start-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

/** A command line of the receiver in a process of its own, which ends with the test. */
function command(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['-C', '@agentic-hooks/source', MAIN, ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => {
    output.stdout += text
  })
  child.stderr.on('data', (text) => {
    output.stderr += text
  })
  return { child, output, closed: once(child, 'close') }
}

/** Takes connections and never answers, as a server does whose machine hangs. */
async function silentServer(): Promise<{ url: string; connected: Promise<unknown> }> {
  const server: Server = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return { url: `postgres://postgres@127.0.0.1:${port}/x`, connected: once(server, 'connection') }
}

describe('a signal before the command is done', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('%s ends a start that waits for PostgreSQL with code %i', async (signal, code) => {
    const databaseUrl = `postgres://127.0.0.1:${await freePort()}/x`
    const { child, output, closed } = command(['--database-url', databaseUrl])
    await vi.waitFor(() => expect(output.stdout).toContain('waiting for PostgreSQL to start'))
    expect(JSON.parse(output.stdout)).toMatchObject({
      reason: expect.stringContaining('ECONNREFUSED'),
      leftMillis: expect.any(Number),
      startTimeoutMillis: 30_000,
    })
    child.kill(signal)
    expect(await closed).toEqual([code, null])
    expect(output.stderr).toBe(`agentic-hooks-receiver: serve: stopped by ${signal}\n`)
  })

  it.each([
    ['serve', ''],
    ['migrate', '; run it again to finish'],
    ['import', '; run it again to finish'],
  ])('ends %s while PostgreSQL takes connections and does not answer', async (name, advice) => {
    const { url, connected } = await silentServer()
    writeFileSync(join(directory, 'events.jsonl'), '')
    const operands = name === 'import' ? ['events.jsonl'] : []
    const { child, output, closed } = command([name, ...operands], { DATABASE_URL: url })
    await connected
    child.kill('SIGTERM')
    expect(await closed).toEqual([143, null])
    expect(output.stderr).toBe(`agentic-hooks-receiver: ${name}: stopped by SIGTERM${advice}\n`)
  })
})

describe('a start that fails', () => {
  it.each([
    [{ JSONL_PATH: 'a-file/events.jsonl' }, 1, /(ENOTDIR|EEXIST).*: name another path$/],
    [{ HOST: '203.0.113.1' }, 1, /EADDRNOTAVAIL.*: set HOST, or ADMIN_HOST, to an address of this machine$/],
    [{ EXPORTERS: 'not-installed' }, 2, /exporter not-installed is not installed: run npm install/],
    [
      { EXPORTERS: '[{"package":"jsonl","options":{"rotateDaily":1}}]' },
      2,
      /rotateDaily is 1; it must be true or false$/,
    ],
  ])('says why in one line without a stack: %j', async (env, code, line) => {
    writeFileSync(join(directory, 'a-file'), '')
    const { output, closed } = command([], env)
    expect(await closed).toEqual([code, null])
    expect(output.stdout).not.toContain('stack')
    const [message, ...rest] = output.stderr.split('\n')
    expect(message).toMatch(/^agentic-hooks-receiver: /)
    expect(message).toMatch(line)
    expect(rest).toEqual([''])
  })

  it('names the port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const { output, closed } = command([], { PORT: String(port) })
    expect(await closed).toEqual([1, null])
    expect(output.stderr).toMatch(
      new RegExp(`^agentic-hooks-receiver: serve: .*127.0.0.1:${port}: end the process .* set PORT.*\n$`),
    )
  })
})

describe('a reader of the output that has seen enough', () => {
  it('does not make --help fail', async () => {
    const { child, output, closed } = command(['--help'])
    child.stdout.destroy()
    expect(await closed).toEqual([0, null])
    expect(output.stderr).toBe('')
  })
})
