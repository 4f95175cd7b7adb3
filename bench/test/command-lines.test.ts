import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}
/** The scripts that are programs of this repository: `node FLAGS FILE`. npm itself runs `prepare`. */
const OURS = Object.entries(scripts).filter(
  ([name, command]) => name !== 'prepare' && command.startsWith('node '),
)

function start(command: string, flag: string) {
  const child = spawn(process.execPath, [...command.split(' ').slice(1), flag], { cwd: ROOT })
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

describe.each(OURS)('npm run %s', (_, command) => {
  it('explains itself with --help', async () => {
    const { output, closed } = start(command, '--help')
    expect(await closed).toEqual([0, null])
    expect(output.stdout).toMatch(/^\S.*\n/)
    expect(output.stderr).toBe('')
  })

  it('does not crash when nobody reads its help to the end', async () => {
    const { child, output, closed } = start(command, '--help')
    child.stdout.destroy()
    expect(await closed).toEqual([0, null])
    expect(output.stderr).toBe('')
  })

  it('ends with code 2 and one line for a flag that it does not know', async () => {
    const { output, closed } = start(command, '--no-such-flag')
    expect(await closed).toEqual([2, null])
    expect(output.stdout).toBe('')
    expect(output.stderr).toMatch(/^[^\n]*--no-such-flag[^\n]*\n$/)
  })
})
