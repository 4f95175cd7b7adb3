import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const BUILD_TIMEOUT_MILLIS = 20 * 60_000
const OUTPUT_LINES = 20

/** What this project builds or downloads once and keeps outside the tree: `$XDG_CACHE_HOME/agentic-hooks`. */
export function cachePath(...names: string[]): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentic-hooks', ...names)
}

export async function hasGo(): Promise<boolean> {
  return run('go', ['version']).then(
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
 * The path of a program that is built once, by `build` in an empty folder, and then cached under `name`.
 * Two processes may build at the same time: each in its own folder, and the last to finish wins.
 */
export async function buildOnce(name: string, build: (folder: string) => Promise<string>): Promise<string> {
  const cached = cachePath(name)
  if (existsSync(cached)) return cached
  const folder = await mkdtemp(join(tmpdir(), 'agentic-hooks-build-'))
  try {
    const built = await build(folder)
    await mkdir(cachePath(), { recursive: true })
    const staged = `${cached}.${process.pid}`
    await runIn(folder, 'cp', [built, staged])
    await rename(staged, cached)
    return cached
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The path of a Go program, built at its pinned version. `go install` refuses modules with replace directives
 * (the Collector's own tools have them); a module of one requirement does not.
 */
export async function goTool(importPath: string, version: string): Promise<string> {
  const name = `${importPath.split('/').findLast((part) => !/^v\d+$/.test(part))}-${version}`
  return buildOnce(name, async (folder) => {
    await runIn(folder, 'go', ['mod', 'init', 'tool'])
    await runIn(folder, 'go', ['get', `${importPath}@${version}`])
    await runIn(folder, 'go', ['build', '-mod=mod', '-trimpath', '-ldflags=-s -w', '-o', 'tool', importPath])
    return join(folder, 'tool')
  })
}

export function shortHash(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
