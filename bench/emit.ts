import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { type BenchOptions, formatTable, interleaved, median, medianRow, type Row } from './harness.ts'
import { type Server, startSink } from './servers.ts'

export const question =
  "What does an event cost an agent: by HookClient, by OpenTelemetry's own processor, by a process each?"

const ROOT = join(import.meta.dirname, '..')
const SOURCE = ['-C', '@agentic-hooks/source']
const VARIANTS = [
  'HookClient',
  'HookClient, redact off',
  "HookClient, durability 'disk'",
  'OTel Logger.emit',
] as const
/** What a program loads and installs for each way. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  HookClient: ['@agentic-hooks/instrumentation'],
  'OTel Logger.emit': ['@opentelemetry/sdk-logs', '@opentelemetry/exporter-logs-otlp-proto'],
}
const PROCESSES = 20

const execute = promisify(execFile)

export async function run({ runs = 3 }: BenchOptions = {}): Promise<readonly Row[]> {
  // Imports are measured as users have them: compiled, not stripped of their types at every start.
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
  await using sink = await startSink()
  const variants = Object.fromEntries(
    VARIANTS.map((variant) => [variant, () => measureVariant(sink, variant)]),
  )
  const rows = await interleaved(variants, runs)
  return [
    ...VARIANTS.map((variant) => ({ variant, ...medianRow(rows[variant]!) })),
    { variant: 'a node process each', ...measureProcesses(sink.url) },
  ]
}

async function measureVariant({ url }: Server, variant: string): Promise<Row> {
  const packages = PACKAGES[variant]
  return {
    ...(await runAgent(url, variant, 'emit')),
    ...(await runAgent(url, variant, 'memory')),
    ...(packages && { ...importCost(packages), packages: countInstalled(packages) }),
  }
}

async function runAgent(url: string, variant: string, what: string): Promise<Row> {
  const script = join(import.meta.dirname, 'emit-agent.ts')
  const { stdout } = await execute(process.execPath, ['--expose-gc', ...SOURCE, script, url, variant, what])
  return JSON.parse(stdout)
}

/** What importing adds to a process that does nothing else. */
function importCost(packages: readonly string[]): Row {
  const bare = startNode([])
  const loaded = startNode(packages)
  return { 'import ms': loaded.millis - bare.millis, 'import MB': loaded.megabytes - bare.megabytes }
}

function startNode(packages: readonly string[]): { millis: number; megabytes: number } {
  const imports = packages.map((name) => `await import('${name}')`).join(';')
  const script = `${imports};console.log(process.memoryUsage.rss())`
  const starts = Array.from({ length: 7 }, () => {
    const start = performance.now()
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    })
    return { millis: performance.now() - start, megabytes: Number(output) / 1e6 }
  })
  return {
    millis: median(starts.map(({ millis }) => millis)),
    megabytes: median(starts.map(({ megabytes }) => megabytes)),
  }
}

interface LockedPackage {
  readonly link?: boolean
  readonly resolved?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

/** How many packages an installation of these brings, themselves included, by the lock file. */
function countInstalled(names: readonly string[]): number {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, LockedPackage>>
  }
  const found = new Set<string>()
  const visit = (name: string, from: string) => {
    // As Node looks for it: beside the package that needs it, then further out.
    let folder = from
    while (folder && !packages[`${folder}/node_modules/${name}`])
      folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$|^.*$/, '')
    const path = folder ? `${folder}/node_modules/${name}` : `node_modules/${name}`
    const locked = packages[path]
    if (!locked || found.has(path)) return
    found.add(path)
    const home = locked.link ? locked.resolved! : path
    for (const dependency of Object.keys(packages[home]?.dependencies ?? {})) visit(dependency, home)
  }
  for (const name of names) visit(name, '')
  return found.size
}

/** As hooks were before: the agent waits until a process has started, posted its event, and ended. */
function measureProcesses(url: string): Row {
  const script = `await fetch('${url}/v1/logs', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })`
  const micros = Array.from({ length: PROCESSES }, () => {
    const start = performance.now()
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
    if (status !== 0) throw new Error(`the process failed: ${stderr}`)
    return (performance.now() - start) * 1000
  }).sort((a, b) => a - b)
  return {
    'mean µs': micros.reduce((sum, value) => sum + value, 0) / PROCESSES,
    'p50 µs': median(micros),
    'p99 µs': micros.at(-1),
  }
}

if (import.meta.main) console.log(`${question}\n${formatTable(await run())}`)
