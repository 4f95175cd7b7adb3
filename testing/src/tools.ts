import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const BUILD_TIMEOUT_MILLIS = 20 * 60_000
const APT_LOCK = join(tmpdir(), 'agentic-hooks-apt.lock')
const OUTPUT_LINES = 20

/** What this project builds or downloads once and keeps outside the tree: `$XDG_CACHE_HOME/agentic-hooks`. */
export function cachePath(...names: string[]): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentic-hooks', ...names)
}

/** Whether a program is on the PATH. */
export function has(command: string): boolean {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .some((folder) => folder && existsSync(join(folder, command)))
}

/**
 * Sees to it that something is there: as root on Debian its package is installed, in CI or when told to.
 * Returns why it is missing, or null when it is there.
 * @param present Default: the command is on the PATH
 */
export async function missing(
  command: string,
  debianPackage: string,
  { install = Boolean(process.env.CI), present = async () => has(command) } = {},
): Promise<string | null> {
  if (await present()) return null
  if (install && process.getuid?.() === 0 && has('apt-get')) {
    // Test files that run at the same time take turns: apt-get fails while another one is at it.
    await runIn('/', 'flock', [APT_LOCK, 'apt-get', 'update', '-qq'])
    const install = ['install', '-y', '-qq', '--no-install-recommends', debianPackage]
    await runIn('/', 'flock', [APT_LOCK, 'apt-get', ...install])
    return null
  }
  return `${command} is not installed (Debian: apt-get install ${debianPackage})`
}

export function missingGo(): string | null {
  return has('go') ? null : 'Go is not installed (https://go.dev/dl)'
}

export async function missingPython(): Promise<string | null> {
  if (!has('python3')) return 'python3 is not installed'
  // Debian keeps what makes environments in a package of its own.
  const present = () => succeeds('python3', ['-c', 'import ensurepip'])
  return missing('python3 -m venv', 'python3-venv', { present })
}

export async function missingJava(): Promise<string | null> {
  return has('java') ? missing('mvn', 'maven') : 'Java is not installed'
}

/** Whether a command can be run, and ends well. */
export function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return runIn('.', command, args).then(
    () => true,
    () => false,
  )
}

/** Runs one command to its end. Throws an Error with the end of what it printed when it fails. */
export async function runIn(folder: string, command: string, args: readonly string[]): Promise<void> {
  try {
    await run(command, args, { cwd: folder, timeout: BUILD_TIMEOUT_MILLIS, maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const { stdout = '', stderr = String(error) } = error as { stdout?: string; stderr?: string }
    const output = `${stdout}${stderr}`.trimEnd().split('\n').slice(-OUTPUT_LINES).join('\n')
    throw new Error(`${command} ${args.join(' ')} failed in ${folder}:\n${output}`)
  }
}

/**
 * The path of what is built once, by `build` in an empty folder, and then cached under `name`.
 * Two processes may build at the same time: each in its own folder.
 */
export async function buildOnce(name: string, build: (folder: string) => Promise<string>): Promise<string> {
  const cached = cachePath(name)
  if (existsSync(cached)) return cached
  return withFolder(async (folder) => {
    const built = await build(folder)
    await mkdir(cachePath(), { recursive: true })
    const staged = `${cached}.${process.pid}`
    await cp(built, staged, { recursive: true })
    // A folder, unlike a file, cannot take the place of the one that another process finished meanwhile.
    await rename(staged, cached).catch(async (error) => {
      await rm(staged, { recursive: true })
      if (!existsSync(cached)) throw error
    })
    return cached
  })
}

/** Calls `use` with an empty folder, and removes that again. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'agentic-hooks-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The path of a Go program, built at its pinned version. `go install` refuses modules with replace directives
 * (the Collector's own tools have them); a module of one requirement does not.
 */
export async function goTool(name: string, importPath: string, version: string): Promise<string> {
  return buildOnce(`${name}-${version}`, async (folder) => {
    await runIn(folder, 'go', ['mod', 'init', 'tool'])
    await runIn(folder, 'go', ['get', `${importPath}@${version}`])
    await runIn(folder, 'go', ['build', '-mod=mod', '-trimpath', '-ldflags=-s -w', '-o', 'tool', importPath])
    return join(folder, 'tool')
  })
}

/** The path of a Python with these packages, as in `six==1.17.0`, in an environment of its own. */
export async function python(name: string, packages: readonly string[]): Promise<string> {
  const folder = cachePath(`python-${name}-${shortHash(packages.join())}`)
  const executable = join(folder, 'bin', 'python')
  const ready = join(folder, 'ready')
  if (existsSync(ready)) return executable
  await mkdir(cachePath(), { recursive: true })
  await runIn(cachePath(), 'python3', ['-m', 'venv', '--clear', folder])
  await runIn(folder, executable, ['-m', 'pip', 'install', '--quiet', ...packages])
  await writeFile(ready, '')
  return executable
}

export function shortHash(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
