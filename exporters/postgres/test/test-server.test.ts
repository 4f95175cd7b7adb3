import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it, vi } from 'vitest'

const START = `
import { execute, startPostgres } from ${JSON.stringify(join(import.meta.dirname, '../../../testing/src/postgres.ts'))}
const server = await startPostgres({ owned: true, settings: { max_connections: '50' } })
const [{ data_directory }] = await execute(server.url, 'SHOW data_directory')
if (process.argv.includes('paused')) await server.pause()
console.log(data_directory)
setInterval(() => {}, 1000)
`

it.each(['running', 'paused'])('a %s test server is gone when its process was killed', async (state) => {
  const flags = ['-C', '@agentic-hooks/source', '--input-type=module-typescript']
  const child = spawn(process.execPath, [...flags, '-e', START, state], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = await once(child.stdout, 'data')
  const data = String(output).trim()
  const postmaster = Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10)
  expect(isAlive(postmaster)).toBe(true)

  child.kill('SIGKILL')
  await vi.waitUntil(() => !isAlive(postmaster) && !existsSync(dirname(data)), { timeout: 20_000 })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
