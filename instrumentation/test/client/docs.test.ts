import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULTS, OPTION_NAMES } from '../../src/options/config.ts'

const guide = readFileSync(new URL('../../../docs/guide/client.md', import.meta.url), 'utf8')

describe('the table of options', () => {
  const rows = new Map(
    [...guide.matchAll(/^\| `(\w+)` \|([^|]*)\|[^|]*\|[^|]*\|$/gm)].map(([, name, value]) => [
      name!,
      value!.trim(),
    ]),
  )

  it('has every option, and no other', () => {
    expect([...rows.keys()].sort()).toEqual([...OPTION_NAMES].sort())
  })

  it('tells the defaults', () => {
    for (const [name, value] of Object.entries(DEFAULTS)) {
      if (typeof value === 'object') continue
      expect(`${name}: ${rows.get(name)}`).toBe(
        `${name}: ${typeof value === 'number' ? value.toLocaleString('en') : `\`${value}\``}`,
      )
    }
  })
})

describe('the snippets without the client', () => {
  let receiver: RunningReceiver
  let directory: string

  const snippet = (language: string) =>
    new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``)
      .exec(guide)![1]!
      .replaceAll('http://localhost:4318', receiver.url)
  const lines = () => readFileSync(join(directory, 'events.jsonl'), 'utf8').trim().split('\n')

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'client-docs-'))
    receiver = await startReceiver({ cwd: directory, env: { JSONL_PATH: join(directory, 'events.jsonl') } })
  })
  afterAll(async () => {
    await receiver.stop()
    rmSync(directory, { recursive: true })
  })

  it('with curl stores an event', async () => {
    const { stdout } = await promisify(execFile)('sh', ['-c', snippet('sh')])
    expect(JSON.parse(stdout)).toMatchObject({ accepted: 1 })
    expect(JSON.parse(lines().at(-1)!)).toMatchObject({
      event_type: 'tool_execution_started',
      session_id: 'session-1',
    })
  })

  it('with fetch stores two', async () => {
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', snippet('js')])
    expect(
      lines()
        .slice(-2)
        .map((line) => JSON.parse(line).event_type),
    ).toEqual(['session_started', 'custom'])
  })
})
