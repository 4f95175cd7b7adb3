import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { send } from '@agentic-hooks/testing/http'
import { startReceiver } from '@agentic-hooks/testing/receiver'

/*
 * Puts our own metrics through `promtool check metrics` (Debian: package prometheus); those of the process are
 * prom-client's. npm run lint:metrics -w receiver
 */

const directory = await mkdtemp(join(tmpdir(), 'receiver-metrics-'))
try {
  await using receiver = await startReceiver({ cwd: directory, env: { SPOOL_DIR: 'spool' } })
  await send(receiver.url, {
    path: '/events',
    headers: { 'content-type': 'application/json' },
    body: '{"event_type":"custom","session_id":"s1"}',
  })
  const { body } = await send(receiver.url, { method: 'GET', path: '/metrics' })
  const ours = body
    .toString()
    .split('\n')
    .filter((line) => /^(# (HELP|TYPE) )?hooks_/.test(line))
  const { error, status } = spawnSync('promtool', ['check', 'metrics'], {
    input: `${ours.join('\n')}\n`,
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  if (error) throw new Error('promtool is needed: install prometheus', { cause: error })
  process.stdout.write(`${ours.filter((line) => line.startsWith('# TYPE')).length} metrics checked\n`)
  process.exitCode = status ?? 1
} finally {
  await rm(directory, { recursive: true })
}
