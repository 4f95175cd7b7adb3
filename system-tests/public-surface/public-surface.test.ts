import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { publicSurface } from './public-surface.ts'

const ROOT = join(import.meta.dirname, '../..')
const PACKAGES = [
  'events',
  'durable-files',
  'instrumentation',
  'receiver',
  'exporters/jsonl',
  'exporters/postgres',
]

it('exports from each package exactly the names that public-surface.txt lists (`npx vitest -u` rewrites it)', async () => {
  const surface = publicSurface(ROOT, PACKAGES)
  await expect(surface).toMatchFileSnapshot('public-surface.txt')
})

it('lists every package that is published', () => {
  const { workspaces } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const published = workspaces.filter(
    (workspace: string) => !JSON.parse(readFileSync(join(ROOT, workspace, 'package.json'), 'utf8')).private,
  )
  expect([...PACKAGES].sort()).toEqual(published.sort())
})
