import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { surviveClosedOutput } from './command-line.ts'

/*
 * Runs the tests as if it were another time, PostgreSQL and every other child process included:
 * `npm run test:at -- 2028-02-29T23:58:00Z --project receiver`. The clock goes on from there.
 */

const USAGE = `npm run test:at -- TIME [ARGUMENT OF vitest run...]

Runs the tests with a clock that begins at TIME, as in 2028-02-29T23:58:00Z. Needs Linux and a C compiler (cc).
`

surviveClosedOutput()
const [time = '--help', ...vitestArguments] = process.argv.slice(2)
const millis = Date.parse(time)
if (time === '--help') process.stdout.write(USAGE)
else if (Number.isNaN(millis))
  fail(`the time is ${JSON.stringify(time)}; it must be as in 2028-02-29T23:58:00Z`)
else if (process.platform !== 'linux')
  fail(`this system is ${process.platform}; the clock can be shifted on Linux only`)
else process.exitCode = runTests(Math.round((millis - Date.now()) / 1000))

function fail(message: string): void {
  process.stderr.write(`test:at: ${message}\n`)
  process.exitCode = 2
}

function runTests(shiftSeconds: number): number {
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-clock-'))
  try {
    const library = join(folder, 'shifted-clock.so')
    const source = join(import.meta.dirname, 'shifted-clock.c')
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-Wall', '-o', library, source, '-ldl'])
    // PostgreSQL runs as another user where the tests run as root.
    chmodSync(folder, 0o755)
    const env = { ...process.env, LD_PRELOAD: library, SHIFTED_CLOCK_SECONDS: String(shiftSeconds) }
    return spawnSync('vitest', ['run', ...vitestArguments], { stdio: 'inherit', env }).status ?? 1
  } finally {
    rmSync(folder, { recursive: true })
  }
}
