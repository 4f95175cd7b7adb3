import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { json, send } from '@agentic-hooks/testing/http'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApplication, readAcmeFile } from './support/acme.ts'

const CONFORMANCE = fileURLToPath(new URL('support/acme-conformance.ts', import.meta.url))

let application: Awaited<ReturnType<typeof createApplication>>

beforeAll(async () => {
  application = await createApplication()
})

afterAll(() => application[Symbol.asyncDispose]())

function start(exporters: unknown) {
  return startReceiver({
    cwd: application.directory,
    env: { EXPORTERS: typeof exporters === 'string' ? exporters : JSON.stringify(exporters) },
  })
}

describe('a packed exporter from outside the repository, loaded by its name', () => {
  it('passes the conformance suite', async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['-C', '@agentic-hooks/source', CONFORMANCE],
      { cwd: application.directory },
    )
    const results = Object.entries(JSON.parse(stdout))
    expect(results.length).toBeGreaterThan(10)
    expect(results.filter(([, error]) => error !== null)).toEqual([])
  })

  it('stores what the receiver gets', async () => {
    await using receiver = await start([{ package: 'acme-exporter', options: { path: 'real.jsonl' } }])
    const answer = await send(receiver.url, {
      path: '/events',
      headers: { 'content-type': 'application/json' },
      body: '{"event_type":"custom","session_id":"s1"}',
    })
    expect(json(answer)).toEqual({ accepted: 1, message: 'Events accepted' })
    expect(receiver.log.at(-1)).toMatchObject({ msg: 'listening', storage: ['acme'] })
    expect(receiver.log).toContainEqual(
      expect.objectContaining({ msg: 'acme-exporter writes', path: 'real.jsonl' }),
    )
    expect(receiver.stderr()).toBe('')
    const stored = await readAcmeFile(join(application.directory, 'real.jsonl'))
    expect(stored).toMatchObject([{ eventType: 'custom', sessionId: 's1' }])
  })

  it('can be named by its path, from the working directory', async () => {
    const module = './node_modules/acme-exporter/index.js'
    await using receiver = await start([{ package: module, options: { path: 'by-path.jsonl' } }])
    expect(receiver.log.at(-1)).toMatchObject({ storage: ['acme'] })
  })
})

describe('a receiver whose exporter cannot be loaded', () => {
  it('says how to install a package that is not there', async () => {
    await expect(start('not-there')).rejects.toThrow(
      `exporter not-there is not installed: run npm install not-there in ${application.directory}`,
    )
  })

  it.each(['constructor', '__proto__'])('takes %s for the name of a package like any other', async (name) => {
    await expect(start(`["${name}"]`)).rejects.toThrow(`exporter ${name} is not installed`)
  })

  it('passes on what the exporter says of its options', async () => {
    await expect(start('acme-exporter')).rejects.toThrow('acme-exporter: path is undefined')
  })

  it('does not call a package missing that misses another one', async () => {
    const directory = join(application.directory, 'node_modules', 'broken-exporter')
    await mkdir(directory)
    await writeFile(join(directory, 'index.mjs'), "import 'not-there-either'")
    await writeFile(join(directory, 'package.json'), '{"name":"broken-exporter","exports":"./index.mjs"}')
    await expect(start('broken-exporter')).rejects.toThrow("Cannot find package 'not-there-either'")
  })

  it('names a package that is no exporter', async () => {
    await expect(start('pino')).rejects.toThrow(
      'exporter pino exports no function createExporter(options, context)',
    )
  })
})
