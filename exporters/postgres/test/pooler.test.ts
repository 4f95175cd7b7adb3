import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { execute, freePort, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { missing } from '@agentic-hooks/testing/tools'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createExporter, migrate } from '../src/index.ts'
import { SILENT, send, startExporter } from './exporters.ts'

const reason = await missing('pgbouncer', 'pgbouncer')
if (reason) console.log(`Skipped: ${reason}.`)

describe.skipIf(reason)('a real pgbouncer', () => {
  let server: PostgresServer
  let databaseUrl: string

  beforeAll(async () => {
    server = await startPostgres({ owned: true })
    databaseUrl = await server.createDatabase()
    await migrate({ databaseUrl, logger: SILENT })
  })
  afterAll(() => server?.stop())

  /** The URL of the database behind a pgbouncer that ends with the test. */
  async function behind(poolMode: string, settings = ''): Promise<string> {
    return (await startPooler(poolMode, settings)).url
  }

  async function startPooler(
    poolMode: string,
    settings = '',
    port?: number,
  ): Promise<{ url: string; stop(): Promise<void> }> {
    const folder = mkdtempSync(join(tmpdir(), 'pgbouncer-'))
    chmodSync(folder, 0o755)
    const url = new URL(databaseUrl)
    port ??= await freePort()
    const database = url.pathname.slice(1)
    const target = [
      `host=${url.hostname} port=${url.port} user=${url.username}`,
      url.password ? ` password=${decodeURIComponent(url.password)}` : '',
    ].join('')
    writeFileSync(
      join(folder, 'pgbouncer.ini'),
      `[databases]
${database} = ${target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${poolMode}
${settings}
`,
    )
    const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    const pooler: ChildProcess = spawn('pgbouncer', [...asNobody, join(folder, 'pgbouncer.ini')], {
      stdio: 'ignore',
    })
    const exited = once(pooler, 'exit')
    const stop = async () => {
      pooler.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true, force: true })
    }
    onTestFinished(stop)
    url.port = String(port)
    await vi.waitFor(() => execute(url.href, 'SELECT 1'))
    return { url: url.href, stop }
  }

  it('in transaction mode is refused at start, with the reason', async () => {
    const url = await behind('transaction')
    const exporter = createExporter({ databaseUrl: url }, { logger: SILENT })
    onTestFinished(() => exporter.shutdown())
    await expect(exporter.start()).rejects.toThrow(/behind a pooler in transaction mode/)
    await expect(migrate({ databaseUrl: url, logger: SILENT })).rejects.toThrow(/transaction mode/)
  })

  it('in transaction mode with a single session is refused at start, with the reason', async () => {
    const url = await behind('transaction', 'default_pool_size = 1')
    const exporter = createExporter({ databaseUrl: url, connectTimeoutMillis: 1_000 }, { logger: SILENT })
    onTestFinished(() => exporter.shutdown())
    await expect(exporter.start()).rejects.toThrow(/behind a pooler in transaction mode/)
  })

  it('that is put into transaction mode while the exporter runs takes no more events', async () => {
    const session = await startPooler('session')
    const exporter = await startExporter({ databaseUrl: session.url })
    expect(await send(exporter, sampleRecords(1))).toMatchObject({ stored: 1 })
    await session.stop()
    await startPooler('transaction', '', Number(new URL(session.url).port))
    const isRefused = /behind a pooler in transaction mode/
    await vi.waitFor(() => expect(exporter.health()).rejects.toThrow(isRefused), { timeout: 20_000 })
    await expect(send(exporter, sampleRecords(1))).rejects.toThrow(isRefused)
  })

  it('in statement mode is refused at start, with the reason', async () => {
    const url = await behind('statement')
    const exporter = createExporter({ databaseUrl: url }, { logger: SILENT })
    onTestFinished(() => exporter.shutdown())
    await expect(exporter.start()).rejects.toThrow(/behind a pooler in statement mode/)
  })

  it('in session mode stores events', async () => {
    const exporter = await startExporter({ databaseUrl: await behind('session') })
    expect((await send(exporter, sampleRecords(3))).stored).toBe(3)
  })
})
