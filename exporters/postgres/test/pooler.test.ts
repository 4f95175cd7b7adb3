import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { execute, freePort, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createExporter, migrate } from '../src/index.ts'
import { SILENT, send, startExporter } from './exporters.ts'

function isInstalled(): boolean {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.log('Skipped: pgbouncer is not installed (Debian: apt-get install pgbouncer).')
    return false
  }
}

describe.skipIf(!isInstalled())('a real pgbouncer', () => {
  let server: PostgresServer
  let databaseUrl: string

  beforeAll(async () => {
    server = await startPostgres({ owned: true })
    databaseUrl = await server.createDatabase()
    await migrate({ databaseUrl, logger: SILENT })
  })
  afterAll(() => server?.stop())

  /** The URL of the database behind a pgbouncer that ends with the test. */
  async function behind(poolMode: string): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'pgbouncer-'))
    chmodSync(folder, 0o755)
    const url = new URL(databaseUrl)
    const port = await freePort()
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
`,
    )
    const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    const pooler: ChildProcess = spawn('pgbouncer', [...asNobody, join(folder, 'pgbouncer.ini')], {
      stdio: 'ignore',
    })
    onTestFinished(async () => {
      pooler.kill('SIGKILL')
      await once(pooler, 'exit')
      rmSync(folder, { recursive: true })
    })
    url.port = String(port)
    await vi.waitFor(() => execute(url.href, 'SELECT 1'))
    return url.href
  }

  it('in transaction mode is refused at start, with the reason', async () => {
    const url = await behind('transaction')
    const exporter = createExporter({ databaseUrl: url }, { logger: SILENT })
    onTestFinished(() => exporter.shutdown())
    await expect(exporter.start()).rejects.toThrow(/behind a pooler in transaction mode/)
    await expect(migrate({ databaseUrl: url, logger: SILENT })).rejects.toThrow(/transaction mode/)
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
