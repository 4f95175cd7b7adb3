/** Packs every published workspace as npm would and lets publint and attw judge what a user would install. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { commandLine } from '@agentic-hooks/testing/command-line'

commandLine('npm run packages\n\nPacks what is published, and has publint and attw judge it.\n', {})

const root = new URL('..', import.meta.url)
const { workspaces } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  workspaces: string[]
}
const published = workspaces.filter(
  (workspace) => !JSON.parse(readFileSync(new URL(`${workspace}/package.json`, root), 'utf8')).private,
)

for (const workspace of published) {
  run('publint', ['--strict', workspace])
  run('attw', ['--pack', workspace, '--profile', 'esm-only'])
}

function run(tool: string, args: string[]): void {
  console.log(`${tool} ${args.join(' ')}`)
  execFileSync(new URL(`node_modules/.bin/${tool}`, root).pathname, args, { cwd: root, stdio: 'inherit' })
}
