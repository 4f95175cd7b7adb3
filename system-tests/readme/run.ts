import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Block, blocksOf, fileNameOf, quickStartOf } from './blocks.ts'

const EVENTS = '.agentic/analytics/events.jsonl'
const BLOCK_TIMEOUT_MILLIS = 300_000
const STOP_TIMEOUT_MILLIS = 20_000
const OUTPUT_LINES = 20

/** The pages that run, and which part of them. */
const PAGES = [
  { path: 'README.md', part: (markdown: string) => markdown },
  { path: 'docs/guide/client.md', part: quickStartOf },
  { path: 'docs/guide/auto-instrumentation.md', part: quickStartOf },
]

/** One block that ran. `events` are those that it brought into the receiver's file. */
export interface Ran {
  readonly where: string
  readonly what: string
  readonly events: number
  readonly seconds: number
}

/** The first commit of a repository that a newcomer sees: a clone of its HEAD, nothing installed. */
export async function freshClone(repository: string, folder: string): Promise<void> {
  await promisify(execFile)('git', ['clone', '--quiet', '--no-hardlinks', repository, folder])
}

/**
 * Runs every block of every page, in order, in a clone. `npm start` stays until the last block has run.
 * @throws Error that names the page, the line and the output, when a block fails or emits nothing
 */
export async function runPages(clone: string, report: (ran: Ran) => void): Promise<void> {
  const servers: ChildProcess[] = []
  try {
    for (const { path, part } of PAGES) {
      for (const block of blocksOf(part(readFileSync(join(clone, path), 'utf8')))) {
        const ran = await runBlock(clone, `${path}:${block.line}`, block, servers)
        if (ran) report(ran)
      }
    }
  } finally {
    for (const server of servers) await stop(server)
  }
}

async function runBlock(
  clone: string,
  where: string,
  block: Block,
  servers: ChildProcess[],
): Promise<Ran | null> {
  const from = performance.now()
  const before = countEvents(clone)
  const what = block.code.split('\n', 1)[0]!
  if (block.language === 'text') return null
  if (block.language === 'json') JSON.parse(block.code)
  else if (block.language === 'sh' && /^npm start\b/m.test(block.code))
    servers.push(await start(clone, where, block.code))
  else await runCode(clone, where, block)
  const events = countEvents(clone) - before
  if (emits(block) && events === 0) throw new Error(`${where}: no event arrived from: ${block.code}`)
  return { where, what, events, seconds: (performance.now() - from) / 1000 }
}

async function runCode(clone: string, where: string, block: Block): Promise<void> {
  if (block.language === 'sh') return run(clone, where, block.code)
  if (!/^[jt]s$/.test(block.language)) throw new Error(`${where}: cannot run a block of "${block.language}"`)
  const name = fileNameOf(block) ?? `snippet-${where.replace(/\W+/g, '-')}.${block.language}`
  writeFileSync(join(clone, name), block.code)
  await run(clone, where, `npx node ${name}`)
}

/** Snippets, requests and agents emit; npm scripts keep their events to themselves. */
function emits({ language, code }: Block): boolean {
  return /^[jt]s$/.test(language) || (language === 'sh' && /^(?:curl|npx node)\b/m.test(code))
}

async function run(clone: string, where: string, code: string): Promise<void> {
  const { child, output } = spawnShell(clone, code)
  const timer = setTimeout(() => signal(child, 'SIGKILL'), BLOCK_TIMEOUT_MILLIS)
  const [exitCode] = await once(child, 'close')
  clearTimeout(timer)
  if (exitCode !== 0) throw new Error(`${where}: "${code}" ended with ${exitCode}:\n${output()}`)
}

/** Resolves once the receiver has said that it listens. */
async function start(clone: string, where: string, code: string): Promise<ChildProcess> {
  const { child, output } = spawnShell(clone, code)
  const timer = setTimeout(() => signal(child, 'SIGKILL'), BLOCK_TIMEOUT_MILLIS)
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', () => output().includes('"msg":"listening"') && resolve())
      child.once('close', (exitCode) =>
        reject(new Error(`${where}: "${code}" ended with ${exitCode}:\n${output()}`)),
      )
    })
  } finally {
    clearTimeout(timer)
  }
  return child
}

/** In a process group of its own, so that everything which the shell starts can be ended with it. */
function spawnShell(cwd: string, code: string): { child: ChildProcess; output: () => string } {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', code], {
    cwd,
    detached: true,
    env: newcomersEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = `${output}${text}`.split('\n').slice(-OUTPUT_LINES).join('\n')
    })
  }
  return { child, output: () => output }
}

/** Without what `npm run readme` itself adds: its Node on the PATH and npm's variables, which a newcomer does not have. */
function newcomersEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_|OTEL_|AGENTIC_HOOKS_|NODE_OPTIONS$|PORT$)/.test(name),
  )
  const path = (process.env.PATH ?? '')
    .split(':')
    .filter((folder) => !/node_modules\/|node-gyp-bin/.test(`${folder}/`))
  return { ...Object.fromEntries(entries), PATH: path.join(':') }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  signal(child, 'SIGTERM')
  const timer = setTimeout(() => signal(child, 'SIGKILL'), STOP_TIMEOUT_MILLIS)
  await ended
  clearTimeout(timer)
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function countEvents(clone: string): number {
  const path = join(clone, EVENTS)
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
}
