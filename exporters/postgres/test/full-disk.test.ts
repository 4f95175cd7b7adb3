import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonBytes } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { valueIn } from '@agentic-hooks/testing/stored-events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UnavailableError } from '../src/index.ts'
import { send, sendUntilStored, startExporter } from './exporters.ts'

const DISK_BYTES = 2 ** 24
const CHUNK = Buffer.alloc(4096)

const disk = mkdtempSync(join(tmpdir(), 'agentic-hooks-disk-'))
const isMounted = mount()
if (!isMounted)
  console.warn(
    'a full disk is only simulated here (SQLSTATE 53100): a real one needs root on Linux, for mount',
  )

afterAll(() => {
  if (isMounted) spawnSync('umount', ['--lazy', disk])
  rmdirSync(disk)
})

describe.runIf(isMounted)('a tablespace whose disk is full', () => {
  let server: PostgresServer
  let databaseUrl: string

  beforeAll(async () => {
    // With settings it is a process of this machine, which sees the disk.
    server = await startPostgres({ owned: true, settings: { max_connections: '50' } })
    await execute(server.url, `CREATE TABLESPACE small LOCATION '${disk}'`)
    const url = new URL(await server.createDatabase())
    url.searchParams.set('options', '-c default_tablespace=small')
    databaseUrl = url.href
  })
  afterAll(async () => {
    await server?.stop()
  })

  it('makes batches come again later, and stores every acknowledged one once when there is room', async () => {
    const exporter = await startExporter({ databaseUrl })
    const ballast = join(disk, 'ballast')
    fill(ballast)

    const batches = Array.from({ length: 20 }, () =>
      sampleRecords(50, { data: jsonBytes({ x: 'y'.repeat(1000) }) }),
    )
    const outcomes = await Promise.allSettled(batches.map((events) => send(exporter, events)))
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(errors).not.toEqual([])
    for (const error of errors) expect(error).toBeInstanceOf(UnavailableError)
    expect(String(errors[0])).toMatch(/No space left on device/)

    rmSync(ballast)
    for (const events of batches) await sendUntilStored(exporter, events)
    expect(Number(await valueIn(databaseUrl, 'SELECT count(*) FROM hook_events'))).toBe(1000)
  })
})

function mount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  // As root the server runs as this user, who must own its tablespaces.
  const options = `size=${DISK_BYTES},uid=65534,gid=65534,mode=0700`
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk]).status === 0
}

function fill(path: string): void {
  try {
    for (;;) appendFileSync(path, CHUNK)
  } catch {
    // Now it is full to the last block.
  }
}
