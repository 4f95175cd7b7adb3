import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { environmentName, flagName, OPTIONS } from '../src/config/options.ts'

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
    for (const command of ['serve', 'migrate', 'import']) expect(stdout).toContain(`  ${command} `)
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
  })

  it('tells its version', async () => {
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it.each([
    [['--port', 'http'], '--port is "http"; it must be one or several integers from 0 to 65535'],
    [['--prot', '1'], "Unknown option '--prot'"],
    [['--prot', '1'], 'did you mean --port?'],
    [['server'], 'there is no command "server"; --help lists them'],
    [['serve', 'now'], 'there is no command "now"'],
    [['--auth-tokens-file', '/does/not/exist'], 'AUTH_TOKENS_FILE cannot be read'],
    [['migrate'], 'migrate needs DATABASE_URL'],
    [['import'], 'import needs the files to read'],
  ])('ends with code 2 and one line for %j', async (args, message) => {
    const { code, stdout, stderr } = await run(args, { PORT: '0', STORAGE_TYPE: 'jsonl' })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^agentic-hooks-receiver: [^\n]*\n$/)
    expect(stderr).toContain(message)
  })
})

describe('agentic-hooks-receiver import', () => {
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'receiver-import-'))
  })

  afterAll(() => rm(directory, { recursive: true }))

  it('brings the events of files into the storage', async () => {
    const [from, to] = [join(directory, 'from.jsonl'), join(directory, 'to.jsonl')]
    await writeFile(
      from,
      '{"event_type":"custom","session_id":"s1"}\n{"event_type":"custom","session_id":"s2"}\n',
    )
    const { code, stdout, stderr } = await run(['import', from, '--jsonl-path', to])
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({ msg: 'imported', stored: 2, duplicates: 0, rejected: 0 })
    expect((await readFile(to, 'utf8')).match(/"session_id":"s[12]"/g)).toHaveLength(2)
  })

  it('names the lines that are no events and ends with code 1', async () => {
    const from = join(directory, 'broken.jsonl')
    await writeFile(from, '{"event_type":"custom","session_id":"s1"}\nnot an event\n')
    const { code, stderr } = await run(['import', from, '--jsonl-path', join(directory, 'rest.jsonl')])
    expect(code).toBe(1)
    expect(stderr).toContain(`${from}:2: `)
    expect(await readFile(`${from}.rejected`, 'utf8')).toContain('not an event')
  })
})

describe('what a file holds', () => {
  it('reaches the terminal without its control characters', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'receiver-import-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const from = join(directory, 'a\u001b[2Jb.jsonl')
    const evil = '\u001b]0;owned\u0007\u009b31m\r\u202e'
    await writeFile(from, `${evil}\n{"event_type":"x","session_id":"s","timestamp":"${evil}"}\n{"${evil}\n`)
    const { code, stderr } = await run(['import', from, '--jsonl-path', join(directory, 'to.jsonl')])
    expect(code).toBe(1)
    expect(stderr).toContain('a\\u001b[2Jb.jsonl:1: ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/)
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

  it('drops what RETENTION_DAYS lets go, with or without other options of the exporter', async () => {
    const databaseUrl = await postgres.createDatabase()
    const retention = 'DELETE FROM hook_resources'
    const environments: Record<string, string>[] = [
      { DATABASE_URL: databaseUrl },
      { DATABASE_URL: databaseUrl, RETENTION_DAYS: '30' },
      {
        RETENTION_DAYS: '30',
        EXPORTERS: JSON.stringify([{ package: 'postgres', options: { databaseUrl } }]),
      },
      { EXPORTERS: JSON.stringify([{ package: 'postgres', options: { databaseUrl, retentionDays: 30 } }]) },
      { STORAGE_TYPE: 'jsonl', DATABASE_URL: databaseUrl, RETENTION_DAYS: '30' },
    ]
    const outputs = []
    for (const environment of environments) outputs.push(await run(['migrate', '--dry-run'], environment))
    expect(outputs.map(({ stdout }) => stdout.includes(retention))).toEqual([false, true, true, true, true])
  })
})
