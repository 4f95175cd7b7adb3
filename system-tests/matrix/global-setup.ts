import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** Builds the package, and puts the agents of the tests where they find the newest libraries. */
export default function setup(): void {
  const run = (...args: string[]) =>
    execFileSync(process.execPath, args, { cwd: path('../..'), stdio: 'inherit' })
  run(path('../../node_modules/typescript/bin/tsc'), '-b', 'instrumentation/tsconfig.build.json')
  run('-C', '@agentic-hooks/source', 'instrumentation/scripts/bundle-preload.ts')
  rmSync(path('agents'), { recursive: true, force: true })
  cpSync(path('../../instrumentation/test'), path('agents'), {
    recursive: true,
    filter: (source) => !source.endsWith('.ts'),
  })
}
