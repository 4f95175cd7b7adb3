import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute, type PostgresServer, startPostgres } from '../../test/postgres.ts'
import { environmentName, flagName, OPTIONS } from '../src/config.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command line to its end. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, ...env } }
    execFile(
      process.execPath,
      ['-C', '@agentic-hooks/source', MAIN, ...args],
      options,
      (error, stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), stdout, stderr })
      },
    )
  })
}

describe('agentic-hooks-receiver', () => {
  it('explains every option, by flag and by environment variable, and every command', async () => {
    const { code, stdout, stderr } = await run(['--help'])
    expect([code, stderr]).toEqual([0, ''])
    for (const name of Object.keys(OPTIONS)) {
      expect(stdout).toContain(`--${flagName(name)} `)
      expect(stdout).toContain(`(${environmentName(name)}`)
    }
    for (const command of ['serve', 'migrate']) expect(stdout).toContain(`  ${command} `)
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
  })

  it('tells its version', async () => {
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it.each([
    [['--port', 'http'], '--port is "http"; it must be one or several integers from 0 to 65535'],
    [['--prot', '1'], "Unknown option '--prot'"],
    [['server'], 'there is no command "server"; --help lists them'],
    [['serve', 'now'], 'there is no command "now"'],
    [['--auth-tokens-file', '/does/not/exist'], 'AUTH_TOKENS_FILE cannot be read'],
    [['migrate'], 'migrate needs DATABASE_URL'],
  ])('ends with code 2 and one line for %j', async (args, message) => {
    const { code, stdout, stderr } = await run(args, { PORT: '0', STORAGE_TYPE: 'jsonl' })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^agentic-hooks-receiver: [^\n]*\n$/)
    expect(stderr).toContain(message)
  })
})

describe('agentic-hooks-receiver migrate', () => {
  let postgres: PostgresServer

  beforeAll(async () => {
    postgres = await startPostgres()
  })

  afterAll(() => postgres.stop())

  it('makes the tables', async () => {
    const databaseUrl = await postgres.createDatabase()
    const { code, stdout } = await run(['migrate', '--database-url', databaseUrl])
    expect(code).toBe(0)
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({
      msg: 'migrated',
      migrations: expect.any(Array),
    })
    expect(await execute(databaseUrl, 'SELECT count(*)::int AS events FROM hook_events')).toEqual([
      { events: 0 },
    ])
  })

  it('with --dry-run prints the SQL and changes nothing', async () => {
    const databaseUrl = await postgres.createDatabase()
    const { code, stdout } = await run(['migrate', '--dry-run'], { DATABASE_URL: databaseUrl })
    expect(code).toBe(0)
    expect(stdout).toContain('CREATE TABLE')
    await expect(execute(databaseUrl, 'SELECT FROM hook_events')).rejects.toThrow('does not exist')
  })
})
